"""When holds are due, in (deadline, id) order, per pool and over a whole partition; and when ended rows may go.

Holds granted by one record in one pool share a deadline, so they share a bucket: 17 bytes a hold and a few hundred a
bucket, instead of a heap entry of about 100 bytes a hold. A hold that is committed, released or extended stays in its
bucket as a dead id (its row says so); the bucket goes when its last live hold has left. Dropping what is dead is
tidying: nothing that can be asked here changes by it, so two folds that tidied at different times are equal.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from domain.ids import HOLD_ID_BYTES
from domain.reservation import HELD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from domain.pool import Pool
    from domain.reservation import Rows


class Bucket:
    """Holds of one pool with one deadline. `ripe`: the same, sorted, last one first to expire, once somebody asked."""

    __slots__ = ("holds", "live", "ripe")

    def __init__(self) -> None:
        self.holds = bytearray()
        self.live = 0
        self.ripe: list[bytes] = []

    def ripen(self) -> list[bytes]:
        """All ids, the lowest last. A due bucket gets no new ones: deadlines of new holds lie ahead of the clock."""
        if self.holds:
            data = bytes(self.holds)
            self.ripe += [data[at : at + HOLD_ID_BYTES] for at in range(0, len(data), HOLD_ID_BYTES)]
            self.ripe.sort(reverse=True)
            self.holds.clear()
        return self.ripe


def first_live(ripe: list[bytes], rows: Rows, deadline_ms: int) -> bytes:
    """The lowest id that is held until then; dead ones before it are dropped. There is one."""
    while True:
        hold = ripe[-1]
        row = rows.get(hold)
        if row is not None and row.state == HELD and row.moment_ms == deadline_ms:
            return hold
        ripe.pop()


class PoolDeadlines:
    """The buckets of one pool by deadline."""

    __slots__ = ("buckets", "times")

    def __init__(self) -> None:
        self.buckets: dict[int, Bucket] = {}
        self.times: list[int] = []

    def entries(self) -> Iterator[tuple[int, int, bytes]]:
        """(deadline, live holds, ids of these and of dead ones), in no order that means anything."""
        for deadline_ms, bucket in self.buckets.items():
            yield deadline_ms, bucket.live, bytes(bucket.holds) + b"".join(bucket.ripe)

    def next_ms(self) -> int | None:
        """The earliest deadline of a live hold."""
        times = self.times
        while times:
            if times[0] in self.buckets:
                return times[0]
            heappop(times)
        return None


class Moment:
    """One deadline over all pools: how many of them have live holds then, and which may have."""

    __slots__ = ("live", "pools")

    def __init__(self) -> None:
        self.live = 0
        self.pools: list[Pool] = []


class Deadlines:
    """All live holds of a partition by deadline."""

    __slots__ = ("_moments", "_ripe", "_ripe_ms", "_times")

    def __init__(self) -> None:
        self._times: list[int] = []
        self._moments: dict[int, Moment] = {}
        self._ripe: list[bytes] = []
        """All ids of the moment that is being swept, the lowest last: merged once, not once a hold."""
        self._ripe_ms = -1

    def add(self, pool: Pool, deadline_ms: int, hold: bytes) -> None:
        """A hold of `pool` became live with this deadline."""
        bucket = pool.deadlines.buckets.get(deadline_ms)
        if bucket is None:
            bucket = self._open(pool, deadline_ms)
        bucket.holds += hold
        bucket.live += 1

    def restore(self, pool: Pool, deadline_ms: int, live: int, holds: bytes) -> None:
        """A bucket of `PoolDeadlines.entries`, into which nothing was added yet."""
        bucket = self._open(pool, deadline_ms)
        bucket.holds += holds
        bucket.live = live

    def add_all(self, pool: Pool, deadline_ms: int, holds: Sequence[bytes]) -> None:
        """As `add`, of many."""
        bucket = pool.deadlines.buckets.get(deadline_ms) or self._open(pool, deadline_ms)
        bucket.holds += b"".join(holds)
        bucket.live += len(holds)

    def _open(self, pool: Pool, deadline_ms: int) -> Bucket:
        bucket = pool.deadlines.buckets[deadline_ms] = Bucket()
        heappush(pool.deadlines.times, deadline_ms)
        moment = self._moments.get(deadline_ms)
        if moment is None:
            moment = self._moments[deadline_ms] = Moment()
            heappush(self._times, deadline_ms)
        moment.live += 1
        moment.pools.append(pool)
        return bucket

    def drop(self, pool: Pool, deadline_ms: int) -> None:
        """A hold of `pool` with this deadline is live no longer (its row says which)."""
        buckets = pool.deadlines.buckets
        bucket = buckets[deadline_ms]
        bucket.live -= 1
        if not bucket.live:
            del buckets[deadline_ms]
            moment = self._moments[deadline_ms]
            moment.live -= 1
            if not moment.live:
                del self._moments[deadline_ms]

    def next_ms(self) -> int | None:
        """The earliest deadline of a live hold, None if there is none."""
        times = self._times
        while times:
            if times[0] in self._moments:
                return times[0]
            heappop(times)
        return None

    def take_due(self, rows: Rows, clk: int, limit: int) -> list[bytes]:
        """At most `limit` due holds (deadline <= clk) of the earliest moment, by id; none if nothing is due.

        They must be ended before the next call: it goes on behind them.
        """
        deadline_ms = self.next_ms()
        if deadline_ms is None or deadline_ms > clk:
            return []
        if self._ripe_ms != deadline_ms:
            self._ripe_ms = deadline_ms
            self._ripe = self._merged(deadline_ms)
        taken: list[bytes] = []
        ripe, get = self._ripe, rows.get
        while ripe and len(taken) < limit:
            row = get(ripe.pop())
            if row is not None and row.state == HELD and row.moment_ms == deadline_ms:
                taken.append(row.hold)
        return taken

    def _merged(self, deadline_ms: int) -> list[bytes]:
        pools = dict.fromkeys(self._moments[deadline_ms].pools)  # a pool may have opened a bucket twice
        buckets = [pool.deadlines.buckets.get(deadline_ms) for pool in pools]
        ripe = [hold for bucket in buckets if bucket is not None for hold in bucket.ripen()]
        ripe.sort(reverse=True)
        return ripe


def first_due_of(pool: Pool, rows: Rows, clk: int) -> bytes | None:
    """The first due hold of one pool by (deadline, id)."""
    deadline_ms = pool.deadlines.next_ms()
    if deadline_ms is None or deadline_ms > clk:
        return None
    return first_live(pool.deadlines.buckets[deadline_ms].ripen(), rows, deadline_ms)


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
