"""Ends a process that hangs without an error, so that its supervisor starts another.

Seen: an unexpected answer of the group coordinator leaves a Faust worker up and unassigned for good; a fetch that never
returns. The check is what moves, not what is said: assignment, fetches, position against the log's end.
"""

from collections.abc import Mapping
from typing import NamedTuple

ASSIGNED_S = 120.0
"""Session 10 s + rebalance 30 s + joining again, doubled, and some: without an assignment so long, Faust is stuck."""
FETCH_S = 30.0
"""A reader comes round every 200 ms. The delivery timeout is 40 s, so a broker that is away is not judged by this."""
PROGRESS_S = 30.0


class Progress(NamedTuple):
    """A partition's position in a log, and that log's end."""

    position: int
    end: int


class Watchdog:
    """`why_hung` once a second. Times are seconds of one monotonic clock."""

    def __init__(self, now_s: float) -> None:
        self._assigned_s = now_s
        self._progress: dict[str, tuple[int, float]] = {}

    def why_hung(
        self, now_s: float, *, assigned: bool, beats_s: Mapping[str, float], positions: Mapping[str, Progress]
    ) -> str:
        """The reason to end this process; "" if there is none.

        `assigned`: whether an assignment is in force. `beats_s`: when each reader came round last. `positions`: by name
        of the reader and partition, only where something is expected to be read.
        """
        if assigned:
            self._assigned_s = now_s
        elif now_s - self._assigned_s > ASSIGNED_S:
            return f"no assignment from the consumer group for {ASSIGNED_S:.0f} s"
        for name, beat_s in beats_s.items():
            if now_s - beat_s > FETCH_S:
                return f"the {name} reader did not come round for {FETCH_S:.0f} s"
        for name, (position, end) in positions.items():
            last, since_s = self._progress.get(name, (-1, now_s))
            if position != last or position >= end:
                self._progress[name] = (position, now_s)
            elif now_s - since_s > PROGRESS_S:
                return f"{name} stands at {position} of {end} for {PROGRESS_S:.0f} s"
        for name in self._progress.keys() - positions.keys():
            del self._progress[name]
        return ""
