"""Writes the system of record: one chunk of order.events, or of stock.events, is one transaction with its cursor.

Whatever is delivered again changes nothing: an event at or below its partition's cursor is skipped, a row gives way
only to a version that is not lower, a pool only to a later sequence.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from adapters.mail.occasions import occasion_of
from adapters.sql import rows
from adapters.sql.database import Database
from adapters.sql.mails import due_rows
from adapters.sql.pool_rows import Pools
from adapters.sql.reading import NOWHERE, Cursor
from adapters.sql.schema import CURSORS, ORDER_ITEMS, ORDERS, PAYMENTS
from adapters.sql.upserts import Upserts
from streams.order_events import OrderEvent

IN_MAX = 500
"""Orders looked up by one statement."""


class Span(NamedTuple):
    """What a chunk is: records `first` to `last` (offsets, inclusive) of a partition of an events topic."""

    topic: str
    partition: int
    first: int
    last: int


class Applied(NamedTuple):
    """What became of a chunk. `missing_from` >= 0: nothing, records from that offset to the chunk must come before."""

    fresh: int
    repeated: int
    mails: int = 0
    without_address: int = 0
    missing_from: int = -1


class Store:
    """Writes through one database. Any number may write the same tables at once, a partition one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def apply(self, span: Span, events: Sequence[OrderEvent], *, mail: bool = True) -> Applied:
        """Fold a chunk of order.events into the tables. `mail`: what is fresh is news for its customer, too.

        SqlAwayError: nothing was done. GapError: an order's earlier event is nowhere.
        """
        with self._database.writing() as connection:
            cursor = _lock(connection, span)
            if span.first > cursor.log_offset + 1:
                return Applied(0, 0, missing_from=cursor.log_offset + 1)
            fresh, place = behind(cursor, events)
            mails, bare = fold(connection, fresh, mail=mail)
            move(connection, span, Cursor(*place, max(span.last, cursor.log_offset)))
        return Applied(len(fresh), len(events) - len(fresh), mails, bare)

    def apply_pools(self, span: Span, pools: Pools, ledger_offset: int) -> Applied:
        """Take over what a chunk of stock.events says of pools; `ledger_offset` is the highest of its facts."""
        with self._database.writing() as connection:
            cursor = _lock(connection, span)
            if span.first > cursor.log_offset + 1:
                return Applied(0, 0, missing_from=cursor.log_offset + 1)
            Upserts(connection).pools(pools)
            reached = max(ledger_offset, cursor.ledger_offset)
            move(connection, span, Cursor(reached, 0, max(span.last, cursor.log_offset)))
        return Applied(len(pools.counters) + len(pools.prices), 0)


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


def move(connection: Connection, span: Span, cursor: Cursor) -> None:
    """The partition's cursor, within the transaction of its rows."""
    place = {"ledger_offset": cursor.ledger_offset, "event_index": cursor.index, "log_offset": cursor.log_offset}
    connection.execute(
        CURSORS.update().where(CURSORS.c.topic == span.topic, CURSORS.c.partition == span.partition).values(place)
    )


def _lock(connection: Connection, span: Span) -> Cursor:
    """The partition's cursor, which no other transaction moves before this one ends."""
    found = select(CURSORS).where(CURSORS.c.topic == span.topic, CURSORS.c.partition == span.partition)
    row = connection.execute(found.with_for_update()).first()
    if row is not None:
        return Cursor(row.ledger_offset, row.event_index, row.log_offset)
    Upserts(connection).cursor(span.topic, span.partition, NOWHERE)
    row = connection.execute(found.with_for_update()).one()
    return Cursor(row.ledger_offset, row.event_index, row.log_offset)


def _load(connection: Connection, orders: list[str]) -> rows.Tables:
    found: list[list[rows.Row]] = [[], [], []]
    for start in range(0, len(orders), IN_MAX):
        some = orders[start : start + IN_MAX]
        for into, table in zip(found, (ORDERS, ORDER_ITEMS, PAYMENTS), strict=True):
            result = connection.execute(select(table).where(table.c.order_id.in_(some)))
            names = tuple(result.keys())
            into.extend(dict(zip(names, row, strict=True)) for row in result)
    return rows.known(*found)
