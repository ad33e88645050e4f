"""Writes the system of record: one chunk of order.events, or of stock.events, is one transaction with its cursor.

Whatever is delivered again changes nothing: an event at or below its partition's cursor is skipped, a row gives way
only to a version that is not lower, a pool only to a later sequence.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, tuple_

from adapters.mail.occasions import occasion_of
from adapters.sql import rows
from adapters.sql.database import Database
from adapters.sql.mails import due_rows
from adapters.sql.pool_rows import Pools
from adapters.sql.reading import NOWHERE, Cursor
from adapters.sql.schema import CURSORS, ORDER_ITEMS, ORDERS, PAYMENTS, SCHEMA
from adapters.sql.upserts import Upserts
from streams.order_events import OrderEvent

IN_MAX = 500
"""Orders looked up by one statement."""
# Made once: to compose a statement costs more than to run it.
_OF_ORDERS = {
    table: select(table).where(table.c.order_id.in_(bindparam("orders", expanding=True)))
    for table in (ORDERS, ORDER_ITEMS, PAYMENTS)
}
_CURSORS = (
    select(CURSORS)
    .where(tuple_(CURSORS.c.topic, CURSORS.c.partition).in_(bindparam("places", expanding=True)))
    .order_by(CURSORS.c.topic, CURSORS.c.partition)
    .with_for_update()
)


_FOREIGN = "give this log another one (TURNSTILE_SQL), or replace the rows by `turnstile sql rebuild`"


class ForeignLogError(Exception):
    """The topics were made anew, or the database was another one's: its cursors would hide events of this log."""


class Span(NamedTuple):
    """What a chunk is: records `first` to `last` (offsets, inclusive) of a partition of an events topic."""

    topic: str
    partition: int
    first: int
    last: int

    @property
    def place(self) -> tuple[str, int]:
        """The cursor's key."""
        return self.topic, self.partition


class OrderChunk(NamedTuple):
    """Of order.events: the events in order."""

    span: Span
    events: Sequence[OrderEvent]


class StockChunk(NamedTuple):
    """Of stock.events: what it says of pools; `ledger_offset` is the highest of its facts."""

    span: Span
    pools: Pools
    ledger_offset: int


class Applied(NamedTuple):
    """What became of chunks. `missing` not empty: nothing; of these partitions, records from that offset come first."""

    fresh: int = 0
    repeated: int = 0
    mails: int = 0
    without_address: int = 0
    missing: dict[tuple[str, int], int] = {}  # noqa: RUF012 - never written to

    @property
    def missing_from(self) -> int:
        """Of a chunk that was applied alone; -1 if nothing is missing."""
        return next(iter(self.missing.values()), -1)


class Store:
    """Writes through one database. Any number may write the same tables at once, a partition one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def bind(self, log_id: bytes) -> None:
        """Say whose copy this is, once for good. ForeignLogError if it is another log's. SqlAwayError."""
        with self._database.writing() as connection:
            known = connection.scalar(select(SCHEMA.c.log_id))
            if known is None:
                connection.execute(SCHEMA.update().values(log_id=log_id.hex()))
            elif known != log_id.hex():
                message = f"the database is a copy of log {known}, not of {log_id.hex()}: {_FOREIGN}"
                raise ForeignLogError(message)

    def apply(self, span: Span, events: Sequence[OrderEvent], *, mail: bool = True) -> Applied:
        """As `apply_all`, one chunk of order.events."""
        return self.apply_all([OrderChunk(span, events)], (), mail=mail)

    def apply_all(self, orders: Sequence[OrderChunk], stock: Sequence[StockChunk], *, mail: bool = True) -> Applied:
        """Write chunks, at most one a partition, in one transaction. `mail`: fresh events are news for customers, too.

        SqlAwayError: nothing was done. GapError: an order's earlier event is nowhere.
        """
        spans = {span.place: span for span in (*(one.span for one in orders), *(one.span for one in stock))}
        with self._database.writing() as connection:
            cursors = _lock(connection, sorted(spans))
            missing = {
                place: cursors[place].log_offset + 1
                for place, span in spans.items()
                if span.first > cursors[place].log_offset + 1
            }
            if missing:
                return Applied(missing=missing)
            fresh: list[OrderEvent] = []
            for span, events in orders:
                found, (offset, index) = behind(cursors[span.place], events)
                fresh += found
                cursors[span.place] = Cursor(offset, index, max(span.last, cursors[span.place].log_offset))
            mails, bare = fold(connection, fresh, mail=mail)
            upserts = Upserts(connection)
            for span, pools, ledger_offset in stock:
                upserts.pools(pools)
                before = cursors[span.place]
                offset = max(ledger_offset, before.ledger_offset)
                cursors[span.place] = Cursor(offset, 0, max(span.last, before.log_offset))
            upserts.cursors(cursors)
        return Applied(len(fresh), sum(len(events) for _, events in orders) - len(fresh), mails, bare)


def behind(cursor: Cursor, events: Sequence[OrderEvent]) -> tuple[list[OrderEvent], tuple[int, int]]:
    """The first occurrences among events of a partition, and the place (ledger offset, index) of the last one.

    They ascend; what does not was published again.
    """
    fresh, place = [], (cursor.ledger_offset, cursor.index)
    for event in events:
        if (event.offset, event.index) > place:
            place = (event.offset, event.index)
            fresh.append(event)
    return fresh, place


def fold(connection: Connection, events: Sequence[OrderEvent], *, mail: bool) -> tuple[int, int]:
    """Fold events of one partition, in order; how many mails are due, and how many are not for want of an address."""
    if not events:
        return 0, 0
    tables = _load(connection, sorted({event.order for event in events}))
    moved, mails, bare = set(), [], 0
    for event in events:
        row = rows.take(tables, event)
        if row is None:
            continue
        moved.add(event.order)
        template = occasion_of(event)
        if template and row["shipping_address"]:
            mails.append((event, template))
        elif template:
            bare += 1
    upserts = Upserts(connection)
    upserts.orders([tables.orders[order] for order in sorted(moved)])
    upserts.items([tables.items[key] for key in sorted(tables.touched_items)])
    upserts.payments([tables.payments[key] for key in sorted(tables.touched_payments)])
    upserts.events(tables.events)
    upserts.mails(due_rows(mails, is_news=mail))
    return len(mails), bare


def _lock(connection: Connection, places: list[tuple[str, int]]) -> dict[tuple[str, int], Cursor]:
    """These partitions' cursors, which no other transaction moves before this one ends."""
    found = _locked(connection, places)
    unknown = {place: NOWHERE for place in places if place not in found}
    if not unknown:
        return found
    Upserts(connection).begin_cursors(unknown)
    return _locked(connection, places)


def _locked(connection: Connection, places: list[tuple[str, int]]) -> dict[tuple[str, int], Cursor]:
    return {
        (topic, partition): Cursor(*cursor)
        for topic, partition, *cursor in connection.execute(_CURSORS, {"places": places}).all()
    }


def _load(connection: Connection, orders: list[str]) -> rows.Tables:
    found: list[list[rows.Row]] = [[], [], []]
    for start in range(0, len(orders), IN_MAX):
        some = orders[start : start + IN_MAX]
        for into, table in zip(found, (ORDERS, ORDER_ITEMS, PAYMENTS), strict=True):
            result = connection.execute(_OF_ORDERS[table], {"orders": some})
            names = tuple(result.keys())
            into.extend(dict(zip(names, row, strict=True)) for row in result)
    return rows.known(*found)
