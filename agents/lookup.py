"""Single questions to the log: where does it end right now, which record stands at this offset, what lies between."""

import asyncio
from collections.abc import AsyncGenerator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.effects import Seen

LOOK_S = 5.0
"""The machine calls a Look lost after that time and asks again."""
POLL_MS = 500


class Lookup:
    """One consumer, asked one question at a time; each costs one or two requests of about a millisecond."""

    def __init__(self, consumer: AIOKafkaConsumer, ledger: str, commands: str, partitions: int) -> None:
        self._consumer = consumer
        self._ledger = ledger
        self._commands = commands
        self._sources = [TopicPartition(topic, number) for topic in (ledger, commands) for number in range(partitions)]
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Connect. KafkaError if the broker does not answer."""
        await self._consumer.start()
        self._consumer.assign(self._sources)
        for source in self._sources:
            self._consumer.seek(source, 0)
        self._consumer.pause(*self._sources)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def ends(self) -> dict[TopicPartition, int]:
        """The end of every partition of both topics."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._sources)
        return ends

    async def look(self, token: int, partition: int, src: int) -> Seen:
        """Answer a Look. TimeoutError if the broker does not answer, KafkaError if it answers that it cannot."""
        async with asyncio.timeout(LOOK_S):
            ledger = TopicPartition(self._ledger, partition)
            commands = TopicPartition(self._commands, partition)
            ends, starts = await asyncio.gather(
                self._consumer.end_offsets([ledger, commands]), self._consumer.beginning_offsets([commands])
            )
            start, end = starts[commands], ends[commands]
            genesis = await self._record(commands, 0) if start == 0 < end else None
            at_src = genesis if src == 0 else None
            if 0 < src < end and src >= start:
                at_src = await self._record(commands, src)
        return Seen(token, ends[ledger], start, end, genesis, at_src)

    async def read_ledger(self, partition: int, start: int, end: int) -> AsyncGenerator[list[ConsumerRecord], None]:
        """Chunks of the records in [start, end), which must exist. OffsetOutOfRangeError if they do not."""
        source = TopicPartition(self._ledger, partition)
        async with self._turn:
            self._consumer.seek(source, start)
            self._consumer.resume(source)
            try:
                while start < end:
                    fetched = await self._consumer.getmany(source, timeout_ms=POLL_MS)
                    records = [record for record in fetched.get(source, ()) if record.offset < end]
                    if records:
                        start = records[-1].offset + 1
                        yield records
            finally:
                await self._let_go(source)

    async def ledger_record(self, partition: int, offset: int) -> bytes | None:
        """The value of one record, None if the ledger does not have it. As `look`, TimeoutError or KafkaError."""
        source = TopicPartition(self._ledger, partition)
        async with asyncio.timeout(LOOK_S):
            ends, starts = await asyncio.gather(
                self._consumer.end_offsets([source]), self._consumer.beginning_offsets([source])
            )
            if not starts[source] <= offset < ends[source]:
                return None
            record = await self._record(source, offset)
        return record and record[1]

    async def _record(self, source: TopicPartition, offset: int) -> tuple[int, bytes] | None:
        """(timestamp_ms, value) of the record at `offset`; None if it was cut off in this very moment."""
        async with self._turn:
            self._consumer.seek(source, offset)
            self._consumer.resume(source)
            try:
                fetched: dict[TopicPartition, list[ConsumerRecord]] = {}
                while not fetched:
                    fetched = await self._consumer.getmany(source, timeout_ms=POLL_MS, max_records=1)
            except OffsetOutOfRangeError:
                return None
            finally:
                await self._let_go(source)
        record = fetched[source][0]
        return (record.timestamp, record.value) if record.offset == offset else None

    async def _let_go(self, source: TopicPartition) -> None:
        """Throw away what was fetched beyond the answer: left there, it holds up every other fetch for 100 ms."""
        self._consumer.pause(source)
        await self._consumer.getmany(source, timeout_ms=0)
