"""One ledger of a stage on the real broker: commands are appended directly, decisions read from the ledger."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from domain.outcomes import REPEATED, Outcome
from domain.roles import Role
from ops.survey import survey
from streams.kafka import catch_up_consumer, producer
from streams.kafka_log import KafkaLog
from streams.log import Record
from streams.records import DECIDED, RULING, BatchCodec, Decided, decode_decided, decode_ledger
from streams.topics import Ledger
from tests.integration.harness import Stage, eventually


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


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Counter:
    """Writes to and reads from one ledger, as `sender`. `batches` encodes its commands."""

    def __init__(self, stage: Stage, log: KafkaLog, ledger: Ledger, batches: BatchCodec[Any], sender: str) -> None:
        self.stage = stage
        self.log = log
        self.topics = stage.topics
        self.mine = stage.topics.of(ledger)
        self._batches = batches
        self._sender = sender
        self._numbers = itertools.count(1)

    def batch(self, *commands: Any, role: Role = Role.GATEWAY, log_id: bytes | None = None) -> bytes:
        return self._batches.encode(
            log_id or self.stage.log_id, role, self._sender, next(self._numbers), list(commands)
        )

    async def send(self, partition: int, *commands: Any, role: Role = Role.GATEWAY) -> int:
        """Append one batch; its offset."""
        return await self.append(partition, self.batch(*commands, role=role))

    async def append(self, partition: int, value: bytes) -> int:
        return (await self.log.append(self.mine.commands.name, partition, value)).offset

    async def ledger(self, partition: int, start: int = 0) -> list[Record]:
        return [record async for record in self.log.read(self.mine.ledger.name, partition, start)]

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
        commands = self.log.read(self.mine.commands.name, partition, 0)
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

    async def owner(self, partition: int) -> str:
        """The worker that owns it, "" if nobody does or it was handed over."""
        state = (await survey(self.log, self.topics, self.mine.name))[partition]
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


Batches = Callable[[], Sequence[tuple[int, bytes]]]
"""Makes the next batches, each with its partition."""


class Load:
    """Batches at a steady rate, open loop, all of `batches` every `every_ms`, until `stop`."""

    def __init__(self, counter: Counter, client: AIOKafkaProducer, batches: Batches, every_ms: int) -> None:
        self._counter = counter
        self._client = client
        self._batches = batches
        self._every_s = every_ms / 1000
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
            for partition, batch in self._batches():
                futures.append(await self._client.send(self._counter.mine.commands.name, batch, partition=partition))
                self.sent += 1
            due_s += self._every_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        await asyncio.gather(*futures)


@asynccontextmanager
async def loaded(counter: Counter, batches: Batches, every_ms: int) -> AsyncIterator[Load]:
    """Load for as long as the block lasts; afterwards everything sent is acked."""
    client = producer(counter.stage.servers, "load")
    await client.start()
    running = Load(counter, client, batches, every_ms)
    try:
        yield running
    finally:
        await running.stop()
        await client.stop()


TAKEN_OVER_MS = 3_000
"""T is 500 to 750 ms, the clock 25, the tail 50; the rest is for a busy machine, on which claims may be lost. What it
takes on an idle one is for a bench to say."""


def largest_gap_ms(decisions: Sequence[Decision], appended_ms: Mapping[int, int]) -> int:
    """The longest time without a decision while a command waited, by log time; `appended_ms` of commands by offset."""
    gaps = (
        later.timestamp_ms - max(earlier.timestamp_ms, appended_ms[later.decided.src])
        for earlier, later in itertools.pairwise(decisions)
    )
    return max(gaps, default=0)
