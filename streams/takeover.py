"""How long a warm worker waits for a silent owner before it claims (W9).

Back-off is part of the protocol: with naive re-claims two standbys fence each other for ever.
"""

from collections import deque
from collections.abc import Iterable
from random import Random

CLAIM_MEMORY_MS = 30_000
LOSSES_MAX = 5
"""A lost claim doubles the wait, up to 2^5 = 32 times."""
PARK_CLAIMS = 3
PARK_MS = 60_000


class TakeoverClock:
    """T = takeover_ms x 2^min(2, max(0, n - 1)) x jitter(1..1.5) x 2^losses; n = disturbing CLAIMs of the last 30 s.

    A CLAIM disturbs unless it followed a Yield or found the partition empty. An accepted record starts the wait
    anew, and so does an own clock that ran late: who was not running cannot say that another was silent.
    """

    def __init__(self, takeover_ms: int, rng: Random) -> None:
        self._takeover_ms = takeover_ms
        self._rng = rng
        self._jitter = 1.0 + rng.random() / 2
        self._disturbances: deque[int] = deque()
        self._losses = 0
        self.quiet_since_ms = 0
        self.last_claim_ms = 0
        """Log time of the last accepted CLAIM."""

    def restart(self, now_ms: int) -> None:
        """Begin to wait anew."""
        self.quiet_since_ms = now_ms

    def decided(self, now_ms: int) -> None:
        """Somebody decides, or did so then: nobody needs us."""
        self.quiet_since_ms = max(self.quiet_since_ms, now_ms)
        self._losses = 0

    def claimed(self, now_ms: int, timestamp_ms: int, *, disturbing: bool) -> None:
        """A CLAIM was accepted, at this log time."""
        self.quiet_since_ms = now_ms
        self.last_claim_ms = timestamp_ms
        self._jitter = 1.0 + self._rng.random() / 2
        if disturbing:
            self._disturbances.append(timestamp_ms)

    def lost(self, now_ms: int) -> None:
        """Our own CLAIM was not accepted."""
        self.quiet_since_ms = now_ms
        self._losses = min(self._losses + 1, LOSSES_MAX)

    @property
    def disturbances(self) -> tuple[int, ...]:
        """Log times of the last disturbing CLAIMs."""
        return tuple(self._disturbances)

    def forget_claims(self) -> None:
        """The ledger will be folded again, and every CLAIM be met again that no snapshot tells of."""
        self._disturbances.clear()

    def recall(self, last_claim_ms: int, disturbances: Iterable[int]) -> None:
        """What was known when a snapshot was taken."""
        self.last_claim_ms = last_claim_ms
        self._disturbances.extend(disturbances)

    def wait_ms(self, wall_ms: int) -> int:
        """The silence that has to pass, in milliseconds."""
        recent = self._disturbances
        while recent and recent[0] < wall_ms - CLAIM_MEMORY_MS:
            recent.popleft()
        doublings = min(2, max(0, len(recent) - 1)) + self._losses
        return int(self._takeover_ms * 2**doublings * self._jitter)

    def silent(self, now_ms: int, wall_ms: int, since_ms: int) -> bool:
        """Whether nothing was accepted for the whole wait, and something has been waiting all that time."""
        return now_ms - max(self.quiet_since_ms, since_ms) >= self.wait_ms(wall_ms)

    def parked(self, claims_here: int, wall_ms: int) -> bool:
        """Three claims died on the same record: one more a minute, until a decision or ruling is accepted."""
        return claims_here >= PARK_CLAIMS and wall_ms - self.last_claim_ms < PARK_MS
