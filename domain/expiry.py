"""When holds are due, in (deadline, id) order, per pool and over a whole partition; and when ended rows may go.

Holds granted by one record in one pool share a deadline, so they share a bucket: 17 bytes a hold and a few hundred a
bucket, instead of a heap entry of about 100 bytes a hold. A hold that is committed, released or extended stays in its
bucket as a dead id (its row says so); the bucket goes when its last live hold has left. Dropping what is dead is
tidying: nothing that can be asked here changes by it, so two folds that tidied at different times are equal.

A bucket is bytes in one dict and a number in another, and no object: Python's collector looks into neither. With four
objects a bucket it stood still for 90 ms over 120,000 of them.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from struct import Struct
from typing import TYPE_CHECKING

from domain.ids import HOLD_ID_BYTES
from domain.reservation import HELD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from domain.pool import Pool, Terms
    from domain.reservation import Rows

STALE_MAX = 64
"""Times that are over, which a heap may have besides as many as there are live ones."""
_NUMBER = Struct(">I")


class Times:
    """A heap of times, each of something that lives, and how much of it does.

    What is over leaves the heap when it is its turn, or when it is too much: nobody asks a fold that only follows.
    """

    __slots__ = ("live", "times")

    def __init__(self) -> None:
        self.live: dict[int, int] = {}
        """How many there are of each time, never 0."""
        self.times: list[int] = []

    def enter(self, time_ms: int, count: int) -> bool:
        """So many more at a time; whether it is a new one."""
        live = self.live
        before = live.get(time_ms)
        if before is None:
            live[time_ms] = count
            heappush(self.times, time_ms)
            return True
        live[time_ms] = before + count
        return False

    def leave(self, time_ms: int) -> bool:
        """One fewer; whether it was the last one, and the time is over."""
        live, times = self.live, self.times
        left = live[time_ms] - 1
        if left:
            live[time_ms] = left
            return False
        del live[time_ms]
        if len(times) > 2 * len(live) + STALE_MAX:
            times[:] = live
            heapify(times)
        return True

    def next_ms(self) -> int | None:
        """The earliest one, None if there is none."""
        times = self.times
        while times:
            if times[0] in self.live:
                return times[0]
            heappop(times)
        return None


class PoolDeadlines(Times):
    """The live holds of one pool by deadline. `holds`: the ids, and those of dead ones."""

    __slots__ = ("_ripe", "_ripe_ms", "holds")

    def __init__(self) -> None:
        super().__init__()
        self.holds: dict[int, bytearray] = {}
        self._ripe: list[bytes] | None = None
        self._ripe_ms = -1

    def add(self, deadline_ms: int, live: int, holds: bytes) -> bool:
        """Holds became live; whether they open a bucket."""
        if self.enter(deadline_ms, live):
            self.holds[deadline_ms] = bytearray(holds)
            return True
        self.holds[deadline_ms] += holds
        return False

    def drop(self, deadline_ms: int) -> bool:
        """A hold with this deadline is live no longer; whether its bucket is gone."""
        if self.leave(deadline_ms):
            del self.holds[deadline_ms]
            return True
        return False

    def entries(self) -> Iterator[tuple[int, int, bytes]]:
        """(deadline, live holds, ids of these and of dead ones), in no order that means anything."""
        for deadline_ms, live in self.live.items():
            yield deadline_ms, live, bytes(self.holds[deadline_ms])

    def first_due(self, rows: Rows, clk: int) -> bytes | None:
        """The first due hold by (deadline, id)."""
        deadline_ms = self.next_ms()
        if deadline_ms is None or deadline_ms > clk:
            return None
        if self._ripe is None or self._ripe_ms != deadline_ms:
            self._ripe, self._ripe_ms = _ripened([self.holds[deadline_ms]]), deadline_ms
        ripe = self._ripe
        while not _is_held(rows, ripe[-1], deadline_ms):
            ripe.pop()
        return ripe[-1]


class Deadlines(Times):
    """All live holds of a partition by deadline: the buckets of its pools."""

    __slots__ = ("_openers", "_ripe", "_ripe_ms")

    def __init__(self) -> None:
        super().__init__()
        self._openers: dict[int, bytearray] = {}
        """By deadline, the terms of the pools that opened a bucket: some more than once, some have none any more."""
        self._ripe: list[bytes] = []
        """All ids of the deadline that is being swept, the lowest last: merged once, not once a hold."""
        self._ripe_ms = -1

    def add(self, pool: Pool, deadline_ms: int, holds: Sequence[bytes]) -> None:
        """Holds of `pool` became live with this deadline."""
        self.restore(pool, deadline_ms, len(holds), b"".join(holds))

    def restore(self, pool: Pool, deadline_ms: int, live: int, holds: bytes) -> None:
        """As `add`: an entry of `PoolDeadlines.entries`."""
        if pool.deadlines.add(deadline_ms, live, holds):
            if self.enter(deadline_ms, 1):
                self._openers[deadline_ms] = bytearray()
            self._openers[deadline_ms] += _NUMBER.pack(pool.terms)

    def drop(self, pool: Pool, deadline_ms: int) -> None:
        """A hold of `pool` with this deadline is live no longer (its row says which)."""
        if pool.deadlines.drop(deadline_ms) and self.leave(deadline_ms):
            del self._openers[deadline_ms]

    def take_due(self, rows: Rows, terms: Sequence[Terms], clk: int, limit: int) -> list[bytes]:
        """At most `limit` due holds (deadline <= clk) of the earliest deadline, by id; none if nothing is due.

        They must be ended before the next call: it goes on behind them.
        """
        deadline_ms = self.next_ms()
        if deadline_ms is None or deadline_ms > clk:
            return []
        if self._ripe_ms != deadline_ms:
            numbers = _NUMBER.iter_unpack(self._openers[deadline_ms])
            pools = dict.fromkeys(terms[number - 1].pool for (number,) in numbers)
            buckets = (pool.deadlines.holds.get(deadline_ms, b"") for pool in pools)
            self._ripe, self._ripe_ms = _ripened(buckets), deadline_ms
        taken: list[bytes] = []
        ripe = self._ripe
        while ripe and len(taken) < limit:
            hold = ripe.pop()
            if _is_held(rows, hold, deadline_ms):
                taken.append(hold)
        return taken


def _ripened(buckets: Iterable[bytes | bytearray]) -> list[bytes]:
    """All ids, the lowest last. A due bucket gets no new ones: deadlines of new holds lie ahead of the clock."""
    holds = b"".join(buckets)
    ripe = [holds[at : at + HOLD_ID_BYTES] for at in range(0, len(holds), HOLD_ID_BYTES)]
    ripe.sort(reverse=True)
    return ripe


def _is_held(rows: Rows, hold: bytes, deadline_ms: int) -> bool:
    """Whether the id is no dead one."""
    row = rows.get(hold)
    return row is not None and row.state == HELD and row.moment_ms == deadline_ms


class Endings:
    """Ended rows in the order of their end (log time never goes back), 17 bytes each."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, bytearray]] = deque()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """(ended_ms, the ids of rows that ended then, one after another), in order."""
        for ended_ms, holds in self._chunks:
            yield ended_ms, bytes(holds)

    def add(self, ended_ms: int, hold: bytes) -> None:
        """A row ended, or several at once."""
        if not self._chunks or self._chunks[-1][0] != ended_ms:
            self._chunks.append((ended_ms, bytearray()))
        self._chunks[-1][1].extend(hold)

    def take(self, until_ms: int, limit: int) -> list[tuple[int, bytes]]:
        """At most `limit` that ended at `until_ms` or before, as (ended_ms, hold); they are gone from here."""
        taken: list[tuple[int, bytes]] = []
        while self._chunks and self._chunks[0][0] <= until_ms and len(taken) < limit:
            ended_ms, holds = self._chunks[0]
            data = bytes(holds[: HOLD_ID_BYTES * (limit - len(taken))])
            del holds[: len(data)]
            taken += [(ended_ms, data[at : at + HOLD_ID_BYTES]) for at in range(0, len(data), HOLD_ID_BYTES)]
            if not holds:
                self._chunks.popleft()
        return taken
