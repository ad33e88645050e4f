"""The statements that write rows: many rows each, the same for SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, and_
from sqlalchemy.dialects import postgresql, sqlite

from adapters.sql.pool_rows import Pools
from adapters.sql.reading import Cursor
from adapters.sql.schema import CURSORS, CUSTOMER_KEYS, INVENTORY, MAILS, ORDER_EVENTS, ORDER_ITEMS, ORDERS, PAYMENTS

Rows = Sequence[dict[str, Any]]
Cursors = Mapping[tuple[str, int], Cursor]


class Upserts:
    """Writes within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name

    def orders(self, rows: Rows) -> None:
        """New ones, and those whose version is not lower."""
        self._write(ORDERS, rows, guard="version")

    def items(self, rows: Rows) -> None:
        """Of orders that were loaded in this transaction."""
        self._write(ORDER_ITEMS, rows)

    def payments(self, rows: Rows) -> None:
        """As items."""
        self._write(PAYMENTS, rows)

    def events(self, rows: Rows) -> None:
        """An event that is there already stays."""
        self._keep(ORDER_EVENTS, rows)

    def mails(self, rows: Rows) -> None:
        """A mail that is there already stays: sent, or on its way."""
        self._keep(MAILS, rows)

    def pools(self, pools: Pools) -> None:
        """Each unless a later sequence, or a later policy, is known. `updated_at` is the counters'."""
        counters = [pools.counters[sku]._asdict() for sku in sorted(pools.counters)]
        prices = [pools.prices[sku]._asdict() for sku in sorted(pools.prices)]
        self._write(INVENTORY, counters, guard="version")
        self._write(INVENTORY, prices, guard="policy_version", kept="updated_at")

    def cursors(self, cursors: Cursors) -> None:
        """Where partitions are now; they are locked."""
        self._write(CURSORS, _cursor_rows(cursors))

    def begin_cursors(self, cursors: Cursors) -> None:
        """Cursors where there are none."""
        self._keep(CURSORS, _cursor_rows(cursors))

    def customer_key(self, customer: str, wrapped: bytes, now_ms: int) -> None:
        """A customer's key where there is none."""
        self._keep(CUSTOMER_KEYS, [{"user_id": customer, "wrapped_key": wrapped, "created_at": now_ms}])

    def _write(self, table: Table, rows: Rows, *, guard: str = "", kept: str = "") -> None:
        if rows:
            self._connection.execute(_upsert(self._dialect, table, tuple(rows[0]), guard, kept), rows)

    def _keep(self, table: Table, rows: Rows) -> None:
        if rows:
            self._connection.execute(_keeping(self._dialect, table), rows)


def _cursor_rows(cursors: Cursors) -> Rows:
    return [
        {"topic": topic, "partition": part, "ledger_offset": offset, "event_index": index, "log_offset": log_offset}
        for (topic, part), (offset, index, log_offset) in sorted(cursors.items())
    ]


def _insert(dialect: str, table: Table) -> Any:
    """Both dialects have the same clause, by classes of their own."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def _upsert(dialect: str, table: Table, columns: tuple[str, ...], guard: str, kept: str) -> Any:
    statement = _insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    fresh = {name: statement.excluded[name] for name in columns if name not in (*keys, kept)}
    newer = and_(table.c[guard] <= statement.excluded[guard]) if guard else None
    return statement.on_conflict_do_update(index_elements=keys, set_=fresh, where=newer)


@cache
def _keeping(dialect: str, table: Table) -> Any:
    return _insert(dialect, table).on_conflict_do_nothing()
