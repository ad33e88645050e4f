"""Requests a second, as the provider counts them: reads and writes apart."""

S_MS = 1000


class Bucket:
    """Holds one second's worth. `per_s` 0 = no limit."""

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s
        self._left = max(1.0, per_s)
        self._at_ms = 0

    def take(self, now_ms: int) -> bool:
        """Whether one more is allowed now; `now_ms` never goes back."""
        if not self.per_s:
            return True
        self._left = min(max(1.0, self.per_s), self._left + (now_ms - self._at_ms) * self.per_s / S_MS)
        self._at_ms = now_ms
        if self._left < 1:
            return False
        self._left -= 1
        return True
