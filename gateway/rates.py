"""How often one client may ask: a token bucket per client, as one number each."""

from collections.abc import Callable

CLIENTS_MAX = 100_000
"""At which full buckets are swept out: 150 bytes each, 15 MiB. A bucket is full again after burst / rate (2 s)."""


class RateLimiter:
    """Generic cell rate algorithm (ITU-T I.371): the moment at which the client's bucket will be full again.

    `per_s` requests a second in the long run, `burst` at once; `per_s` 0 = no limit.
    """

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float]) -> None:
        self._interval_s = 1 / per_s if per_s else 0.0
        self._burst_s = burst * self._interval_s
        self._clock = clock
        self._full_at: dict[str, float] = {}
        self._sweep_at = CLIENTS_MAX

    def wait_s(self, client: str) -> float:
        """Take one request out of the client's bucket: 0. If it is empty: in how many seconds it is worth asking."""
        if not self._interval_s:
            return 0.0
        now = self._clock()
        full_at = max(self._full_at.get(client, now), now) + self._interval_s
        over_s = full_at - now - self._burst_s
        if over_s > 1e-9:  # noqa: PLR2004 - rounding of sums
            return over_s
        self._full_at[client] = full_at
        if len(self._full_at) > self._sweep_at:
            self._full_at = {name: at for name, at in self._full_at.items() if at > now}
            self._sweep_at = max(CLIENTS_MAX, 2 * len(self._full_at))
        return 0.0
