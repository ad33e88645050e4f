"""The system of record made again from the ledgers alone, in one transaction: readers see the old rows, or the new.

Customers' keys and the mails are in no ledger: those rows stay, and no mail goes a second time.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, select, text

from adapters.sql.database import Database
from adapters.sql.pool_rows import Pools
from adapters.sql.reading import NOWHERE, Cursor, cursors_of
from adapters.sql.schema import CURSORS, INVENTORY, ORDER_EVENTS, ORDER_ITEMS, ORDERS, PAYMENTS, SCHEMA
from adapters.sql.store import fold
from adapters.sql.upserts import Upserts
from ops.audit.source import Source, Stream
from streams.acceptance import Acceptance, Verdict
from streams.fold import Fold
from streams.order_events import OrderEvent
from streams.order_records import events_of
from streams.records import Decided, UndecodableError, decode_ledger
from streams.topics import Topics
from tables.orders import OrderFold
from tables.stock import StockFold

CHUNK = 1_000
DERIVED = (ORDERS, ORDER_ITEMS, ORDER_EVENTS, PAYMENTS, INVENTORY, CURSORS)
_STOPS = frozenset({Verdict.BROKEN, Verdict.AHEAD})


class RebuildError(Exception):
    """A ledger does not hold; nothing was changed. `turnstile verify` says more."""


class Rebuilt(NamedTuple):
    """What was read and written."""

    orders: int
    events: int
    pools: int


class Rebuild:
    """`log_id`: of the source's log. `ends`: (events topic, partition) -> its end, asked before the source was opened.

    `progress` is called now and then with the number of events or decisions read since.
    """

    def __init__(
        self,
        source: Source,
        topics: Topics,
        log_id: bytes,
        ends: Mapping[tuple[str, int], int],
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._orders = topics.order_events.name
        self._stock = topics.stock_events.name
        self._log_id = log_id
        self._ends = ends
        self._progress = progress

    def run(self, database: Database) -> Rebuilt:
        """Replace every row. SqlAwayError (is an agent writing?), SourceError, RebuildError: nothing was changed."""
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE cursors IN EXCLUSIVE MODE"))
            is_ours = connection.scalar(select(SCHEMA.c.log_id)) == self._log_id.hex()
            told = cursors_of(connection, self._orders) if is_ours else {}
            for table in DERIVED:
                connection.execute(delete(table))
            connection.execute(SCHEMA.update().values(log_id=self._log_id.hex()))
            parts = range(self._source.partitions)
            events = sum(self._rebuild_orders(connection, part, told.get(part, NOWHERE)) for part in parts)
            for part in parts:
                self._rebuild_pools(connection, part)
            orders, pools = (
                connection.scalar(select(func.count()).select_from(table)) for table in (ORDERS, INVENTORY)
            )
        return Rebuilt(orders or 0, events, pools or 0)

    def _rebuild_orders(self, connection: Connection, partition: int, told: Cursor) -> int:
        """`told`: up to where the customers got their mail; where nothing is known of that, all is past."""
        count, last = 0, NOWHERE
        events = self._order_events(partition)
        while chunk := list(islice(events, CHUNK)):
            is_past = [told == NOWHERE or (event.offset, event.index) <= told[:2] for event in chunk]
            edge = is_past.count(True)
            fold(connection, chunk[:edge], mail=False)
            fold(connection, chunk[edge:], mail=True)
            count += len(chunk)
            last = Cursor(chunk[-1].offset, chunk[-1].index, -1)
            self._progress(len(chunk))
        self._leave(connection, self._orders, partition, last)
        return count

    def _order_events(self, partition: int) -> Iterator[OrderEvent]:
        for offset, decided in accepted(self._source, Stream.ORDER_LEDGER, partition, OrderFold()):
            for event in events_of(partition, offset, decided):
                if isinstance(event, OrderEvent):
                    yield event

    def _rebuild_pools(self, connection: Connection, partition: int) -> None:
        pools, last = Pools({}, {}), NOWHERE
        for offset, decided in accepted(self._source, Stream.LEDGER, partition, StockFold()):
            pools.take(decided)
            last = Cursor(offset, 0, -1)
            self._progress(1)
        Upserts(connection).pools(pools)
        self._leave(connection, self._stock, partition, last)

    def _leave(self, connection: Connection, topic: str, partition: int, reached: Cursor) -> None:
        """Every event below the topic's end stands for a decision that was read: the agent goes on from there."""
        cursor = reached._replace(log_offset=self._ends[topic, partition] - 1)
        Upserts(connection).begin_cursors({(topic, partition): cursor})


def accepted(source: Source, stream: Stream, partition: int, rules: Fold[Any]) -> Iterator[tuple[int, Decided]]:
    """(offset, decision) of every accepted record of a ledger's partition, in order. RebuildError: it does not hold."""
    acceptance, state = Acceptance(), rules.new_state(partition)
    for entry in source.read(stream, partition):
        try:
            verdict, decided = acceptance.judge(
                entry.offset,
                decode_ledger(entry.value),
                entry.value,
                lambda decided: rules.lawful(state, decided, evolved=False),
            )
        except UndecodableError as error:
            message = f"{stream} {partition}:{entry.offset} is no ledger record: {error}"
            raise RebuildError(message) from error
        if verdict in _STOPS:
            message = f"{stream} {partition}:{entry.offset} is {verdict.value}: run `turnstile verify`"
            raise RebuildError(message)
        if verdict is Verdict.ACCEPTED and decided is not None:
            rules.apply(state, decided)
            yield entry.offset, decided
