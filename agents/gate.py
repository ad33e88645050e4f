"""What every call to the provider passes: its rate limits, the circuit breaker, and a bounded number in flight.

Waiting here blocks only the one order that waits.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from math import inf
from typing import NamedTuple

from agents.breaker import Breaker
from agents.bucket import Bucket
from domain.provider import Limited, NotSent, Reply, Unknown


class Ticket(NamedTuple):
    """One call in flight. `turn`: of the breaker."""

    turn: int
    write: bool


class Waiter(NamedTuple):
    """In the order of rank, then of arrival. `wanted`: whether the call is still to be made."""

    rank: int
    number: int
    ready: "asyncio.Future[Ticket | None]"
    wanted: Callable[[], bool]


class Gate:
    """Reads and writes have a limit each. `in_flight_max`: calls at once, of both kinds."""

    def __init__(self, reads: Bucket, writes: Bucket, breaker: Breaker, in_flight_max: int) -> None:
        self.in_flight = 0
        self.outage = ""
        """What the last call met with that counted as one."""
        self._buckets = {False: reads, True: writes}
        self._waiting: dict[bool, list[Waiter]] = {False: [], True: []}
        self._breaker = breaker
        self._in_flight_max = in_flight_max
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, *, write: bool, rank: int, wanted: Callable[[], bool]) -> Ticket | None:
        """Wait until a call may go; give the ticket back with `leave`. None: it is not wanted any more."""
        ready: asyncio.Future[Ticket | None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting[write], Waiter(rank, next(self._numbers), ready, wanted))
        self._pump()
        return await ready

    def leave(self, ticket: Ticket, reply: Reply | None) -> None:
        """The call has ended; None: by an exception, which ends the process."""
        self.in_flight -= 1
        if isinstance(reply, Limited):
            self._buckets[ticket.write].pause(reply.retry_after_ms / 1_000)
        outage = reply.why if isinstance(reply, Unknown) and reply.outage else ""
        self.outage = outage or self.outage
        if isinstance(reply, NotSent):
            self._breaker.unused(ticket.turn)
        else:
            self._breaker.ended(ticket.turn, outage=bool(outage))
        self._pump()

    def set_rate(self, per_s: float) -> None:
        """Calls a second from now on, of each kind; 0 = no limit."""
        for bucket in self._buckets.values():
            bucket.per_s = per_s
        self._pump()

    def close(self) -> None:
        """Let nobody go any more."""
        self._in_flight_max = 0

    @property
    def waiting(self) -> int:
        """Calls that wait."""
        return sum(len(waiting) for waiting in self._waiting.values())

    @property
    def queue_s(self) -> float:
        """How long a write that came now would wait, as far as one can tell."""
        writes = self._buckets[True]
        shut_s = self._breaker.wait_s()
        queued_s = len(self._waiting[True]) / writes.per_s if writes.per_s else 0.0
        return queued_s + (0.0 if shut_s == inf else shut_s)

    def _pump(self) -> None:
        """Let go whoever may; come back when the next one may."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        next_s = min(self._let_go(write=False), self._let_go(write=True))
        if next_s < inf:
            self._timer = asyncio.get_running_loop().call_later(next_s, self._pump)

    def _let_go(self, *, write: bool) -> float:
        """In how many seconds to come back; infinity: when a call has ended, or come."""
        waiting, bucket = self._waiting[write], self._buckets[write]
        while waiting:
            head = waiting[0]
            if head.ready.done() or not head.wanted():
                heapq.heappop(waiting)
                if not head.ready.done():
                    head.ready.set_result(None)
                continue
            wait_s = max(self._breaker.wait_s(), bucket.wait_s())
            if wait_s > 0:
                return wait_s
            if self.in_flight >= self._in_flight_max:
                return inf
            heapq.heappop(waiting)
            bucket.take()
            self.in_flight += 1
            head.ready.set_result(Ticket(self._breaker.began(), write))
        return inf
