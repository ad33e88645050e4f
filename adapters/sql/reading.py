"""What a gateway reads of the system of record: an order, a customer's list, a history, and how far the copy is.

Synchronous, a fraction of a millisecond each on SQLite: `await asyncio.to_thread(reader.find, order)`. Every method
raises SqlAwayError when the database does not answer. What is newer than `cursors()` comes from order.events itself.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select, tuple_

from adapters.sql.database import Database, SqlAwayError
from adapters.sql.schema import CURSORS, ORDER_EVENTS, ORDER_ITEMS, ORDERS, SCHEMA

PAGE_MAX = 100
_CURSOR = re.compile(r"([0-9]{1,18}):([0-9a-f-]{36})")


class CursorError(ValueError):
    """Not a cursor that `list_of` gave: begin at the start of the list."""


class StoredLine(NamedTuple):
    """As streams.order_events.Line. `unit_price` is None until the line was granted."""

    line: int
    sku: str
    partition: int
    quantity: int
    state: str
    unit_price: int | None
    currency: str
    deadline_ms: int
    reason: str
    shipped: int
    delivered: int
    returned: int


class StoredOrder(NamedTuple):
    """An order as of `version`; names and values as in streams.order_events.OrderEvent. Without its address."""

    order: str
    customer: str
    status: str
    version: int
    sequence: int
    partition: int
    compensating: bool
    goal: str
    reason: str
    pay: str
    attempt: int
    method: str
    intent: str
    action: str
    amount: int
    currency: str
    captured: int
    refunded: int
    deadline_ms: int
    receipt: str
    partial: bool
    created_ms: int
    updated_ms: int
    lines: tuple[StoredLine, ...]


class StoredEvent(NamedTuple):
    """One event of an order. `kind`: of a transition the new state in kebab-case, else OrderEvent.kind.

    `event_id` = partition:ledger offset:index. `data`: OrderEvent's other fields, those that are set.
    """

    event_id: str
    kind: str
    came_from: str | None
    to: str | None
    sequence: int
    version: int
    time_ms: int
    data: dict[str, Any]


class Page(NamedTuple):
    """Orders, newest first; `cursor` for the next page, "" after the last one."""

    orders: list[StoredOrder]
    cursor: str


class Cursor(NamedTuple):
    """How far a partition is in the tables: the last event's place in the ledger, and the events topic's offset.

    All are -1 before the first event.
    """

    ledger_offset: int
    index: int  # type: ignore[assignment]  # hides tuple.index
    log_offset: int


NOWHERE = Cursor(-1, -1, -1)

_ORDER: list[Any] = [
    ORDERS.c.order_id, ORDERS.c.user_id, ORDERS.c.status, ORDERS.c.version, ORDERS.c.sequence, ORDERS.c.partition,
    ORDERS.c.compensating, ORDERS.c.goal, ORDERS.c.reason, ORDERS.c.pay, ORDERS.c.attempt, ORDERS.c.payment_method,
    ORDERS.c.provider_id, ORDERS.c.action, ORDERS.c.total_amount, ORDERS.c.currency, ORDERS.c.captured,
    ORDERS.c.refunded, ORDERS.c.deadline_at, ORDERS.c.receipt, ORDERS.c.partial, ORDERS.c.created_at,
    ORDERS.c.updated_at,
]  # fmt: skip
_LINE: list[Any] = [
    ORDER_ITEMS.c.line, ORDER_ITEMS.c.product_id, ORDER_ITEMS.c.partition, ORDER_ITEMS.c.quantity, ORDER_ITEMS.c.state,
    ORDER_ITEMS.c.unit_price, ORDER_ITEMS.c.currency, ORDER_ITEMS.c.deadline_at, ORDER_ITEMS.c.reason,
    ORDER_ITEMS.c.shipped, ORDER_ITEMS.c.delivered, ORDER_ITEMS.c.returned,
]  # fmt: skip


class Reader:
    """Reads what the tables have of the log of this id (hex; "" = of whichever): a copy of another one is no answer."""

    def __init__(self, database: Database, log_id: str = "") -> None:
        self._database = database
        self._wanted = log_id

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """One view of the tables. SqlAwayError if they are another log's: its orders are not ours, nor its offsets."""
        with self._database.reading() as connection:
            if self._wanted:
                found = connection.scalar(select(SCHEMA.c.log_id))
                if found not in {None, self._wanted}:
                    message = (
                        f"the database is a copy of log {found}, not of {self._wanted}: run `turnstile sql rebuild`"
                    )
                    raise SqlAwayError(message)
            yield connection

    def find(self, order: str) -> StoredOrder | None:
        """The order of that id (text), None if the tables have none (yet)."""
        with self._reading() as connection:
            return next(iter(load(connection, [order])), None)

    def list_of(self, customer: str, cursor: str = "", limit: int = 20) -> Page:
        """Up to `limit` (1..PAGE_MAX) orders of a customer (hash as hex), newest first, from behind `cursor` on.

        Orders that come while a client pages through are before its cursor: it misses none and sees none twice.
        CursorError for a cursor that is none.
        """
        limit = max(1, min(limit, PAGE_MAX))
        query = select(*_ORDER).where(ORDERS.c.user_id == customer)
        if cursor:
            query = query.where(tuple_(ORDERS.c.created_at, ORDERS.c.order_id) < tuple_(*parse_cursor(cursor)))
        query = query.order_by(ORDERS.c.created_at.desc(), ORDERS.c.order_id.desc()).limit(limit + 1)
        with self._reading() as connection:
            rows = connection.execute(query).all()
            shown = rows[:limit]
            lines = connection.execute(_lines_of([row.order_id for row in shown])).all()
        more = len(rows) > limit
        return Page(_join(shown, lines), format_cursor(shown[-1].created_at, shown[-1].order_id) if more else "")

    def history(self, order: str) -> list[StoredEvent]:
        """Every event of an order, oldest first."""
        query = select(ORDER_EVENTS).where(ORDER_EVENTS.c.order_id == order)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(ORDER_EVENTS.c.ledger_offset, ORDER_EVENTS.c.event_index)).all()
        return [
            StoredEvent(
                event_id=row.event_id,
                kind=row.event_type,
                came_from=row.from_state,
                to=row.to_state,
                sequence=row.sequence,
                version=row.version,
                time_ms=row.created_at,
                data=msgspec.json.decode(row.event_data),
            )
            for row in rows
        ]

    def cursors(self, topic: str) -> dict[int, Cursor]:
        """Partition -> how far it is; a partition of which nothing is known is missing."""
        with self._reading() as connection:
            return cursors_of(connection, topic)


def cursors_of(connection: Connection, topic: str) -> dict[int, Cursor]:
    """As Reader.cursors, within a transaction of the caller's, whichever log the tables are a copy of."""
    rows = connection.execute(select(CURSORS).where(CURSORS.c.topic == topic))
    return {row.partition: Cursor(row.ledger_offset, row.event_index, row.log_offset) for row in rows}


def load(connection: Connection, orders: list[str]) -> list[StoredOrder]:
    """Those of these orders that there are, within a transaction of the caller's."""
    rows = connection.execute(select(*_ORDER).where(ORDERS.c.order_id.in_(orders))).all()
    return _join(rows, connection.execute(_lines_of(orders)).all())


def _lines_of(orders: list[str]) -> Any:
    query = select(ORDER_ITEMS.c.order_id, *_LINE).where(ORDER_ITEMS.c.order_id.in_(orders))
    return query.order_by(ORDER_ITEMS.c.order_id, ORDER_ITEMS.c.line)


def _join(rows: Sequence[Any], lines: Sequence[Any]) -> list[StoredOrder]:
    of: dict[str, list[StoredLine]] = {}
    for order, *line in lines:
        of.setdefault(order, []).append(StoredLine(*line))
    return [StoredOrder._make((*row, tuple(of.get(row.order_id, ())))) for row in rows]


def format_cursor(created_ms: int, order: str) -> str:
    """For the page that begins behind this order."""
    return base64.urlsafe_b64encode(f"{created_ms}:{order}".encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> tuple[int, str]:
    """When the order was made, and its id; CursorError."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        found = _CURSOR.fullmatch(text)
    except (binascii.Error, ValueError):
        found = None
    if found is None:
        message = "not a cursor of this list"
        raise CursorError(message)
    return int(found[1]), found[2]
