"""The confirmation role: copies what became of orders and of stock into SQL, and tells each order when it is booked.

All chunks that wait are one transaction: rows and cursors. Then `Booked` for the orders that ask for it, then the acks;
a kill between two of these does the rest again, which changes no row. `python -m agents confirmation`.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from aiokafka import ConsumerRecord, TopicPartition

from adapters.mail.mailer import Mailer, mailer_of
from adapters.sealing import Sealer
from adapters.sql.database import Database, SqlAwayError
from adapters.sql.pool_rows import Pools
from adapters.sql.reading import NOWHERE
from adapters.sql.store import Applied, OrderChunk, Span, StockChunk, Store
from agents import duty as duties
from agents import exits
from agents.duty import Context, Duty
from agents.hole import read_hole
from agents.post import Post
from domain.ids import order_bytes
from domain.orders import Ask, Booked
from domain.roles import Role
from settings import ConfirmationSettings
from streams import keys
from streams.actions import Action
from streams.chunks import Chunk
from streams.metrics import ConfirmationMetrics
from streams.order_events import OrderEvent
from streams.records import decode_decided, decode_fact
from streams.topics import named
from streams.unreadable import order_event, read

PROGRAM = "confirmation"
PACE_S = 0.05
"""From one transaction to the next, if all goes well: each costs 2 ms, and 40 us an event."""
AGAIN_S = 0.2
AGAIN_S_MAX = 5.0

T = TypeVar("T")
Records = dict[TopicPartition, list[ConsumerRecord]]


class Work(NamedTuple):
    """What records come to."""

    orders: list[OrderChunk]
    stock: list[StockChunk]


def run(settings: ConfirmationSettings) -> int:
    """Run until asked to stop; the exit code (agents/exits.py)."""
    topics = named(settings.namespace)
    try:
        database = Database(settings.sql_url)
        sealer = Sealer(database, keys.load_address(settings.data_dir))
        mailer = mailer_of(settings.mail, settings.data_dir / "mail")
    except (ValueError, keys.KeysError) as error:
        sys.stderr.write(f"{error}\n")
        return exits.CONFIGURATION
    metrics = ConfirmationMetrics()
    duty = Duty(PROGRAM, [topics.order_events, topics.stock_events], [topics.order_commands], round(PACE_S * 1000))
    return duties.run(settings, duty, Confirmation(database, sealer, mailer, metrics), metrics)


class Confirmation:
    """What the frame hands chunks to."""

    def __init__(self, database: Database, sealer: Sealer, mailer: Mailer, metrics: ConfirmationMetrics) -> None:
        self._database = database
        self._sealer = sealer
        self._mailer = mailer
        self._metrics = metrics
        self._store = Store(database)
        self._is_bound = False

    async def start(self, context: Context) -> None:
        """Connect to the broker. The database may be away."""
        self._context = context
        self._log = context.log
        self._orders = context.topics.order_events.name
        self._writer = context.order_commands(Role.CONFIRMATION)
        await self._writer.start()
        self._post = Post(self._database, self._sealer, self._mailer, self._log, self._metrics)
        context.watch(self._post.run())

    async def take_all(self, chunks: Sequence[Chunk]) -> None:
        """Copy chunks, once what lies before them is there; then tell the orders that asked."""
        began_s = time.monotonic()
        records: Records = {}
        for source, some in chunks:
            records.setdefault(source, []).extend(some)
        if not self._is_bound:
            await self._answered(lambda: self._store.bind(self._context.identity.log_id))
            self._is_bound = True
        work = self._prepared(records)
        applied = await self._apply(work)
        while applied.missing:
            for (topic, partition), start in applied.missing.items():
                self._log(Action.SQL_HOLE, topic=topic, partition=partition, start=start)
                source = TopicPartition(topic, partition)
                await self._fill(source, start, records[source][0].offset)
            applied = await self._apply(work)
        if applied.mails:
            self._post.poke()
        await self._writer.write({chunk.span.partition: _booked(chunk.events) for chunk in work.orders})
        await asyncio.sleep(began_s + PACE_S - time.monotonic())

    async def stop(self) -> None:
        """Disconnect."""
        await self._writer.stop()
        self._database.close()

    async def _fill(self, source: TopicPartition, start: int, stop: int) -> None:
        """Copy records from `start` to `stop`. Their mails are past: whether they went is not known here any more."""
        context = self._context
        context.excuse(True)  # noqa: FBT003 - it is a state
        async for records in read_hole(context.servers, f"{context.sender}-hole", source, start, stop):
            await self._apply(self._prepared({source: list(records)}), is_news=False)
        context.excuse(False)  # noqa: FBT003 - it is a state

    def _prepared(self, records: Records) -> Work:
        """Decoded. What cannot be is told and left out: only owners write these topics, and an order misses its own."""
        work = Work([], [])
        for (topic, partition), some in records.items():
            span = Span(topic, partition, some[0].offset, some[-1].offset)
            if topic == self._orders:
                events = (self._read(record, order_event) for record in some)
                work.orders.append(OrderChunk(span, [event for event in events if event is not None]))
            else:
                pools = Pools({}, {})
                offsets = [self._read(record, partial(_take_fact, pools)) for record in some]
                last = max((offset for offset in offsets if offset is not None), default=NOWHERE.ledger_offset)
                work.stock.append(StockChunk(span, pools, last))
        return work

    def _read(self, record: ConsumerRecord, decoded: Callable[[ConsumerRecord], T]) -> T | None:
        return read(record, decoded, self._log, self._metrics.alarm)

    async def _apply(self, work: Work, *, is_news: bool = True) -> Applied:
        applied = await self._answered(lambda: self._store.apply_all(work.orders, work.stock, mail=is_news))
        self._metrics.applied(fresh=applied.fresh, repeated=applied.repeated)
        self._metrics.mailed("without-address", applied.without_address)
        return applied

    async def _answered(self, work: Callable[[], T]) -> T:
        """Do it in a thread, again and again while SQL is away: nothing is lost, and orders go on without it."""
        wait_s, away_s = AGAIN_S, 0.0
        try:
            while True:
                try:
                    done = await asyncio.to_thread(work)
                except SqlAwayError as error:
                    if not away_s:
                        away_s = time.monotonic()
                        self._sql_away(str(error))
                    await asyncio.sleep(wait_s)
                    wait_s = min(AGAIN_S_MAX, wait_s * 2)
                    continue
                if away_s:
                    self._log(Action.SQL_BACK, seconds=round(time.monotonic() - away_s, 1))
                return done
        finally:
            if away_s:
                self._metrics.sql_away.set(0)
                self._context.excuse(False)  # noqa: FBT003 - it is a state

    def _sql_away(self, reason: str) -> None:
        self._log(Action.SQL_AWAY, reason=reason)
        self._metrics.alarm(Action.SQL_AWAY.label)
        self._metrics.sql_away.set(1)
        self._context.excuse(True)  # noqa: FBT003 - it is a state


def _take_fact(pools: Pools, record: ConsumerRecord) -> int:
    """Fold it; its ledger offset."""
    fact = decode_fact(record.value or b"")
    pools.take(decode_decided(fact.body))
    return fact.ledger_offset


def _booked(events: Sequence[OrderEvent]) -> list[Booked]:
    """One for each order that asks, of the version that is in the tables now."""
    asking = {event.order: event.version for event in events if any(ask.kind == Ask.CONFIRM for ask in event.asks)}
    return [Booked(order_bytes(order), version) for order, version in asking.items()]
