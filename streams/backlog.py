"""How many commands of this process wait for a partition's owner, and how long one more would.

Kafka takes whatever comes: that an owner falls behind shows only in decisions that come late. Own ones are measure
enough, whoever else writes: the owner takes all in turn, so the pace at which own ones are decided is our share of it.
"""

import math
from collections import deque
from typing import NamedTuple

CALM_S = 0.25
"""A decision that took less tells of round trips, not of the owner's pace: nothing is concluded from it."""
STEADY_S = 0.1
"""An owner must be slower for so long before it counts: what waited while one was replaced is decided in one go."""
FEW = 50
"""Where so few of ours wait, it is others' that make the queue: one more waits about as long as the last one did."""
GIVEN_UP_S = 30.0
"""As long as a purchase is in time: what is older is decided too-late, or was and we missed it. Waits no more."""


class _Handed(NamedTuple):
    """A batch on its way. `before`: commands decided, or given up, when it was handed over."""

    number: int
    commands: int
    at_s: float
    before: int


class Backlog:
    """Of one partition. Times are seconds of one monotonic clock. Numbers of batches ascend."""

    def __init__(self, wait_max_s: float) -> None:
        self._wait_max_s = wait_max_s
        self.undecided = 0
        """Commands that were submitted and are not known to be decided."""
        self._gone = 0
        self._handed: deque[_Handed] = deque()
        self._pace_s = 0.0
        """Seconds a command, 0 while decisions come at once."""
        self._decided_s = -math.inf
        self._slower: tuple[float, float] | None = None
        """Since when decisions came more slowly than that, and how slowly at least."""

    def enter(self) -> None:
        """One more was submitted."""
        self.undecided += 1

    def withdraw(self, commands: int) -> None:
        """So many that were submitted are never sent."""
        self.undecided -= commands

    def hand(self, number: int, commands: int, now_s: float) -> None:
        """A batch of what was submitted is on its way."""
        self._handed.append(_Handed(number, commands, now_s, self._gone))

    def decide(self, number: int, now_s: float) -> None:
        """The decision of this batch was seen, so those before it are taken too."""
        while self._handed and self._handed[0].number <= number:
            first = self._drop()
            waited_s = now_s - first.at_s
            calm = waited_s < CALM_S or not self.undecided  # who waits for nothing knows nothing
            self._see_pace(0.0 if calm else waited_s / (self._gone - first.before + FEW), now_s)
            self._decided_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long one more would wait: for all before it at the last pace, and as long as nothing comes at all."""
        while self._handed and now_s - self._handed[0].at_s > GIVEN_UP_S:
            self._drop()
        silent_s = now_s - max(self._decided_s, self._handed[0].at_s) if self._handed else 0.0
        return max(silent_s, self._pace_s * (self.undecided + FEW) if self.undecided else 0.0)

    def is_over(self, now_s: float) -> bool:
        """Whether one more would wait longer than `wait_max_s`."""
        return self.wait_s(now_s) > self._wait_max_s

    def _see_pace(self, pace_s: float, now_s: float) -> None:
        """Faster is believed at once, slower after a while."""
        if pace_s <= self._pace_s:
            self._pace_s, self._slower = pace_s, None
            return
        since_s, least_s = self._slower or (now_s, pace_s)
        self._slower = since_s, min(least_s, pace_s)
        if now_s - since_s >= STEADY_S:
            self._pace_s, self._slower = self._slower[1], None

    def _drop(self) -> _Handed:
        first = self._handed.popleft()
        self.undecided -= first.commands
        self._gone += first.commands
        return first
