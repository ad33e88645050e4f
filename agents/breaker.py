"""A circuit breaker: while the provider is out, nobody waits for its timeouts.

Closed: calls go. After `failures_max` outages in a row open: none goes for 2 s, then one probe (half-open). It closes
the circuit or opens it again for twice as long, up to 30 s, each with jitter. (Nygard, Release It!)
"""

from collections.abc import Callable
from enum import Enum
from math import inf

FAILURES_MAX = 8
"""In a row: with one call in twenty lost by chance, once in 25 billion calls."""
FIRST_S = 2.0
LONGEST_S = 30.0
JITTER = 0.25


class Circuit(Enum):
    """The number is what a gauge shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """`jitter` gives numbers of [0, 1); `told` is called when the circuit opens or closes."""

    def __init__(
        self,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        told: Callable[[Circuit], None],
        failures_max: int = FAILURES_MAX,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._told = told
        self._failures_max = failures_max
        self._failures = 0
        self._openings = 0
        self._probe_at = 0.0
        self._turn = 0
        self.circuit = Circuit.CLOSED

    def wait_s(self) -> float:
        """In how many seconds a call may go: 0 = now, infinity = when the probe has ended."""
        match self.circuit:
            case Circuit.CLOSED:
                return 0.0
            case Circuit.HALF_OPEN:
                return inf
        return max(0.0, self._probe_at - self._clock())

    def began(self) -> int:
        """A call goes (wait_s was 0); what `ended` wants to know it by."""
        if self.circuit is Circuit.OPEN:
            self._turn += 1
            self.circuit = Circuit.HALF_OPEN
            self._told(self.circuit)
        return self._turn

    def ended(self, turn: int, *, outage: bool) -> None:
        """A call has ended. What began before the circuit changed says nothing about now."""
        if turn != self._turn or self.circuit is Circuit.OPEN:
            return
        if not outage:
            self._failures = 0
            if self.circuit is Circuit.HALF_OPEN:
                self._openings = 0
                self._turn += 1
                self.circuit = Circuit.CLOSED
                self._told(self.circuit)
            return
        self._failures += 1
        if self.circuit is Circuit.HALF_OPEN or self._failures >= self._failures_max:
            self._open()

    def unused(self, turn: int) -> None:
        """The call was not made after all, so it says nothing; the next one is the probe in its place."""
        if turn == self._turn and self.circuit is Circuit.HALF_OPEN:
            self.circuit = Circuit.OPEN

    def _open(self) -> None:
        open_s = min(FIRST_S * 2**self._openings, LONGEST_S)
        self._probe_at = self._clock() + open_s * (1 + JITTER * self._jitter())
        self._openings = min(self._openings + 1, 10)
        self._failures = 0
        self._turn += 1
        self.circuit = Circuit.OPEN
        self._told(self.circuit)
