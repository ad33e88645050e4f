"""A sale on the real broker without gateways: commands are appended directly, decisions read from the ledger."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from domain.ids import customer_hash, hold_id, order_id
from domain.outcomes import REPEATED, Outcome
from domain.roles import Role
from domain.stock import Adjust, Open, Reserve, SetPolicy
from ops.audit.log_source import kafka_source
from ops.audit.report import Report
from ops.audit.verify import audit
from ops.survey import survey
from streams.kafka import catch_up_consumer, producer
from streams.kafka_log import KafkaLog
from streams.log import Record
from streams.records import DECIDED, RULING, Decided, Fact, decode_decided, decode_fact, decode_ledger
from streams.stock_records import BATCHES
from streams.topics import partition_of
from tests.integration.harness import Stage, eventually

HOLD_MS = 600_000
PATIENCE_MS = 30_000


class Decision(NamedTuple):
    """A DECIDED or RULING as it stands in the ledger, accepted or not."""

    offset: int
    timestamp_ms: int
    kind: int
    epoch: int
    decided: Decided

    @property
    def outcomes(self) -> list[Outcome]:
        return [Outcome(code & ~REPEATED) for code in self.decided.outcomes]


def sku_in(partition: int, partitions: int, name: str = "sku") -> str:
    """A SKU of that partition."""
    return next(sku for i in itertools.count() if partition_of(sku := f"{name}-{i}", partitions) == partition)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Shop:
    """Writes to and reads from the log of a stage, as `sender`."""

    def __init__(self, stage: Stage, log: KafkaLog, sender: str = "shop") -> None:
        self.stage = stage
        self.log = log
        self.topics = stage.topics
        self._sender = sender
        self._numbers = itertools.count(1)

    def sku(self, partition: int, name: str = "sku") -> str:
        return sku_in(partition, self.stage.partitions, name)

    def batch(self, *commands: Any, role: Role = Role.GATEWAY, log_id: bytes | None = None) -> bytes:
        return BATCHES.encode(log_id or self.stage.log_id, role, self._sender, next(self._numbers), list(commands))

    def reserve(self, sku: str, key: str, *, customer: str = "", quantity: int = 1, not_after_ms: int = 0) -> Reserve:
        """A purchase by a customer of its own, unless named."""
        who = customer or f"customer of {key}"
        home = partition_of(sku, self.stage.partitions)
        order = order_id(self.stage.keys.customer, who, key, home)
        hashed = customer_hash(self.stage.keys.customer, who)
        return Reserve(hold_id(order), sku, hashed, quantity, not_after_ms or now_ms() + PATIENCE_MS, bytes(8))

    async def send(self, partition: int, *commands: Any, role: Role = Role.GATEWAY) -> int:
        """Append one batch; its offset."""
        return await self.append(partition, self.batch(*commands, role=role))

    async def append(self, partition: int, value: bytes) -> int:
        return (await self.log.append(self.topics.stock_commands.name, partition, value)).offset

    async def open(self, sku: str, units: int, *, limit: int = 65_535, hold_ms: int = HOLD_MS) -> int:
        """Create a SKU with units, on sale; the offset of the batch."""
        commands = (
            SetPolicy(sku, 0, 100, "EUR", limit, hold_ms, "key"),
            Adjust(sku, units, "initial", "test"),
            Open(sku, 1),
        )
        return await self.send(partition_of(sku, self.stage.partitions), *commands, role=Role.OPS)

    async def ledger(self, partition: int, start: int = 0) -> list[Record]:
        return [record async for record in self.log.read(self.topics.stock_ledger.name, partition, start)]

    async def decisions(self, partition: int) -> list[Decision]:
        """All of the ledger, accepted or not."""
        found = []
        for record in await self.ledger(partition):
            header = decode_ledger(record.value)
            if header.kind in {DECIDED, RULING}:
                decided = decode_decided(header.body)
                found.append(Decision(record.offset, record.timestamp_ms, header.kind, header.epoch, decided))
        return found

    async def gap_ms(self, partition: int, start: int = 0) -> int:
        """`largest_gap_ms` of everything decided from the `start`th decision on."""
        commands = self.log.read(self.topics.stock_commands.name, partition, 0)
        return largest_gap_ms(
            (await self.decisions(partition))[start:], {one.offset: one.timestamp_ms async for one in commands}
        )

    async def decision(self, partition: int, src: int, *, within_s: float = 20.0) -> Decision:
        """Wait for the (first) decision of that command record."""

        async def look() -> Decision | None:
            return next((one for one in await self.decisions(partition) if one.decided.src == src), None)

        return await eventually(look, within_s=within_s, every_s=0.05, what=f"a decision of {partition}:{src}")

    async def outcomes(self, partition: int, *commands: Any, role: Role = Role.GATEWAY) -> list[Outcome]:
        """Send one batch and wait for its answers."""
        return (await self.decision(partition, await self.send(partition, *commands, role=role))).outcomes

    async def facts(self, partition: int) -> list[Fact]:
        return [
            decode_fact(record.value) async for record in self.log.read(self.topics.stock_events.name, partition, 0)
        ]

    async def owner(self, partition: int) -> str:
        """The worker that owns it, "" if nobody does or it was handed over."""
        state = (await survey(self.log, self.topics))[partition]
        return state.claim.worker if state.claim and state.is_owned else ""

    async def owned_by(self, partition: int, *workers: str, within_s: float = 30.0) -> str:
        """Wait until one of these owns it, and say which."""

        async def look() -> str | None:
            owner = await self.owner(partition)
            return owner if owner in workers else None

        return await eventually(look, within_s=within_s, every_s=0.05, what=f"{workers} to own {partition}")

    async def raw(self, topic: str, partition: int) -> list[ConsumerRecord]:
        """All records of a partition with their keys and headers."""
        consumer = catch_up_consumer(self.stage.servers, "raw")
        source = TopicPartition(topic, partition)
        await consumer.start()
        try:
            end = (await consumer.end_offsets([source]))[source]
            consumer.assign([source])
            consumer.seek(source, 0)
            found: list[ConsumerRecord] = []
            while await consumer.position(source) < end:
                found += (await consumer.getmany(source, timeout_ms=500)).get(source, ())
            return found
        finally:
            await consumer.stop()

    async def verified(self, *, undecided: int = 0) -> Report:
        """Audit the whole log when everything is decided; it must be sound."""

        async def look() -> Report | None:
            report = await asyncio.to_thread(self._audit)
            return report if report.undecided <= undecided else None

        report = await eventually(look, within_s=20.0, every_s=0.2, what="everything decided")
        assert report.ok, report.violations
        return report

    def _audit(self) -> Report:
        with kafka_source(self.stage.servers, self.topics) as source:
            return audit(source)


class Load:
    """Reservations at a steady rate, open loop, one batch every `every_ms` to each of `skus`, until `stop`."""

    def __init__(self, shop: Shop, client: AIOKafkaProducer, skus: Sequence[str], every_ms: int, size: int) -> None:
        self._shop = shop
        self._client = client
        self._skus = skus
        self._every_s = every_ms / 1000
        self._size = size
        self._keys = itertools.count()
        self.sent = 0
        """Batches, all acked once the block is left."""
        self._stopping = asyncio.Event()
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Send no more; everything sent is acked."""
        self._stopping.set()
        await self._task

    async def _run(self) -> None:
        due_s = time.monotonic()
        futures = []
        while not self._stopping.is_set():
            for sku in self._skus:
                commands = [self._shop.reserve(sku, f"load-{next(self._keys)}") for _ in range(self._size)]
                partition = partition_of(sku, self._shop.stage.partitions)
                futures.append(
                    await self._client.send(
                        self._shop.topics.stock_commands.name, self._shop.batch(*commands), partition=partition
                    )
                )
                self.sent += 1
            due_s += self._every_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        await asyncio.gather(*futures)


@asynccontextmanager
async def load(shop: Shop, *skus: str, every_ms: int = 10, size: int = 5) -> AsyncIterator[Load]:
    """Load for as long as the block lasts; afterwards everything sent is acked."""
    client = producer(shop.stage.servers, "load")
    await client.start()
    running = Load(shop, client, skus, every_ms, size)
    try:
        yield running
    finally:
        await running.stop()
        await client.stop()


def largest_gap_ms(decisions: Sequence[Decision], appended_ms: Mapping[int, int]) -> int:
    """The longest time without a decision while a command waited, by log time; `appended_ms` of commands by offset."""
    gaps = (
        later.timestamp_ms - max(earlier.timestamp_ms, appended_ms[later.decided.src])
        for earlier, later in itertools.pairwise(decisions)
    )
    return max(gaps, default=0)
