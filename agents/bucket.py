"""How often the provider may be called: a token bucket as one number, when it will be full again."""

from collections.abc import Callable

BURST_S = 0.05
"""What a late timer may catch up with. The caller's rate leaves room for it."""


class Bucket:
    """Generic cell rate algorithm (ITU-T I.371). `per_s` calls a second; 0 = no limit."""

    def __init__(self, per_s: float, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._full_at = clock()
        self._paused_until = self._full_at
        self.per_s = per_s

    def wait_s(self) -> float:
        """In how many seconds the next call may go; 0: now."""
        now = self._clock()
        wait_s = self._paused_until - now
        if self.per_s:
            wait_s = max(wait_s, self._full_at - now - BURST_S)
        return wait_s if wait_s > 1e-9 else 0.0  # noqa: PLR2004 - rounding of sums

    def take(self) -> None:
        """One call goes."""
        if self.per_s:
            self._full_at = max(self._full_at, self._clock()) + 1 / self.per_s

    def pause(self, seconds: float) -> None:
        """The provider has had enough for now (429)."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)
