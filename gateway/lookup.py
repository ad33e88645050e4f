"""Finds orders: what SQL has, and what the tail has on top.

Reading SQL takes a thread for about a millisecond. A database that does not answer is no reason to stop: what is young
enough stands in the tail alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from adapters.sql.database import SqlAwayError
from adapters.sql.reading import CursorError, Reader, StoredEvent, StoredOrder, format_cursor, parse_cursor
from domain.ids import home_partition, order_text
from gateway.order_now import OrderNow, Transition, joined
from gateway.problems import InvalidRequestError, Problem, ProblemError
from gateway.recent import Recent
from gateway.tail import Tail
from streams.order_events import Line

T = TypeVar("T")

THREADS = 4
WAITING_MAX = 64
"""Who waits for a thread: at about 1 ms each and four at a time, the last one waits for 16 ms."""
SEEN_HALF_MAX = 50_000


class OrderPage(NamedTuple):
    """Orders without their histories, newest first; `cursor` for the next page, "" after the last one."""

    orders: list[OrderNow]
    cursor: str


class Lookup:
    """Use inside one event loop. ProblemError (503) where an older story would have to be told than was told before."""

    def __init__(self, reader: Reader, tail: Tail) -> None:
        self._reader = reader
        self._tail = tail
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sql")
        self._waiting = 0
        self._shown: Recent[str, tuple[int, int]] = Recent(SEEN_HALF_MAX)

    async def find(self, order: bytes) -> OrderNow | None:
        """The order as of now, None if it has no event yet (or never gets one)."""
        text, partition = order_text(order), home_partition(order)
        tail = self._tail.find(partition, text)  # before SQL is read: what leaves the tail meanwhile is in SQL
        shown = self._shown.get(text)
        if tail is not None and not tail.since and (shown is None or shown <= (tail.version, tail.sequence)):
            return tail
        row, events = await self.read(lambda: (self._reader.find(text), self._reader.history(text)))
        found = self._joined(partition, None if row is None else stored(row, events), tail)
        at = (-1, -1) if found is None else (found.version, found.sequence)
        if shown is not None and at < shown:
            raise _behind()
        if found is not None:
            self._shown.put(text, at)
        return found

    async def list_of(self, customer: bytes, cursor: str, limit: int) -> OrderPage:
        """A page of a customer's orders. InvalidRequestError for a cursor that is none."""
        name = customer.hex()
        young = self._tail.of_customer(name)
        try:
            before = parse_cursor(cursor) if cursor else None
            page = await self.read(lambda: self._reader.list_of(name, cursor, limit))
        except CursorError as error:
            raise InvalidRequestError(("cursor", str(error))) from error
        orders = {row.order: self._merged(row) for row in page.orders}
        end = min((_age(one) for one in orders.values()), default=None) if page.cursor else None
        for now in young:
            age = _age(now)
            if now.order not in orders and (before is None or age < before) and (end is None or age > end):
                orders[now.order] = now
        ordered = sorted(orders.values(), key=_age, reverse=True)
        shown = ordered[:limit]
        more = len(ordered) > limit or page.cursor
        return OrderPage(shown, format_cursor(*_age(shown[-1])) if more else "")

    async def passed(self, topic: str, partitions: int) -> list[int]:
        """The offset up to which SQL has all of a topic, -1 for nothing, of each partition."""
        cursors = await self.read(lambda: self._reader.cursors(topic))
        return [cursors[partition].log_offset if partition in cursors else -1 for partition in range(partitions)]

    async def read(self, work: Callable[[], T]) -> T:
        """Do this in a thread; ProblemError (503) if SQL does not answer, or too many wait for it."""
        if self._waiting >= WAITING_MAX:
            raise ProblemError(Problem.UNAVAILABLE, "too many wait for the system of record")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except SqlAwayError as error:
            raise ProblemError(Problem.UNAVAILABLE, "the system of record does not answer") from error
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the threads go; what they do is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _merged(self, row: StoredOrder) -> OrderNow:
        found = self._joined(row.partition, stored(row, ()), self._tail.find(row.partition, row.order))
        if found is None:
            raise _behind()
        return found

    def _joined(self, partition: int, base: OrderNow | None, tail: OrderNow | None) -> OrderNow | None:
        found = joined(base, tail)
        if (found is None and tail is not None) or (tail is None and self._tail.is_ahead(partition)):
            raise _behind()
        return found


def stored(row: StoredOrder, events: Sequence[StoredEvent]) -> OrderNow:
    """An order as SQL has it."""
    return OrderNow(
        order=row.order,
        since=0,
        version=row.version,
        state=row.status,
        sequence=row.sequence,
        compensating=row.compensating,
        goal=row.goal,
        reason=row.reason,
        pay=row.pay,
        attempt=row.attempt,
        intent=row.intent,
        action=row.action,
        amount=row.amount,
        currency=row.currency,
        captured=row.captured,
        refunded=row.refunded,
        deadline_ms=row.deadline_ms,
        partial=row.partial,
        updated_ms=row.updated_ms,
        customer=row.customer,
        receipt=row.receipt,
        created_ms=row.created_ms,
        lines={line.line: Line(**line._replace(unit_price=_price(line.unit_price))._asdict()) for line in row.lines},
        history=[_transition(event) for event in events if event.to and event.sequence <= row.sequence],
    )


def _price(price: int | None) -> int:
    return -1 if price is None else price


def _transition(event: StoredEvent) -> Transition:
    data = event.data
    return Transition(
        event.sequence,
        event.came_from or "",
        event.to or "",
        event.time_ms,
        data.get("reason", ""),
        data.get("cause", ""),
        data.get("compensating", False),
        data.get("deadline_ms", 0),
    )


def _age(now: OrderNow) -> tuple[int, str]:
    return now.created_ms, now.order


def _behind() -> ProblemError:
    return ProblemError(Problem.UNAVAILABLE, "the system of record is behind what was shown before")
