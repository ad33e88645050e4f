"""Feeds the tail from order.events: from where SQL is, then as events come; and tells it how far SQL has come since."""

import asyncio
import sys
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from gateway.logtime import LogTime
from gateway.lookup import Lookup
from gateway.problems import ProblemError
from gateway.tail import Tail
from streams.actions import Action
from streams.kafka import tail_consumer
from streams.logs import Log
from streams.order_events import decode
from streams.slices import Slices
from streams.topics import Topics
from streams.unreadable import read

POLL_MS = 1_000
LOOK_S = 1.0
"""How often SQL is asked how far it is: at 150 orders a second some hundred orders stand in the tail."""


class OrderReader:
    """Reads all partitions, without a group. `caught_up` is set once the ends at the start are reached."""

    def __init__(
        self,
        servers: str,
        topics: Topics,
        tail: Tail,
        lookup: Lookup,
        logtime: LogTime,
        alarm: Callable[[str], None],
    ) -> None:
        self.caught_up = asyncio.Event()
        self._alarm = alarm
        self._servers = servers
        self._topic = topics.order_events.name
        self._tail = tail
        self._lookup = lookup
        self._logtime = logtime
        self._ends: dict[int, int] = {}

    async def run(self, partitions: int, log: Log) -> None:
        """Read until cancelled. KafkaError if a position is lost."""
        consumer = tail_consumer(self._servers, "gateway-orders")
        try:
            await consumer.start()
            await self._seek(consumer, [TopicPartition(self._topic, partition) for partition in range(partitions)], log)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look(partitions))
                await self._read(consumer, log)
        finally:
            await consumer.stop()

    async def _read(self, consumer: AIOKafkaConsumer, log: Log) -> None:
        while True:
            if not self._ends:
                self.caught_up.set()
            fetched = await consumer.getmany(timeout_ms=POLL_MS)
            slices = Slices()
            for place, records in fetched.items():
                for record in records:
                    self._take(record, log)
                    self._logtime.see(place.partition, record.timestamp)
                    await slices.pause()
                if records and records[-1].offset + 1 >= self._ends.get(place.partition, sys.maxsize):
                    del self._ends[place.partition]
                    log(Action.CAUGHT_UP, partition=place.partition, offset=records[-1].offset)

    def _take(self, record: ConsumerRecord, log: Log) -> None:
        """What cannot be read is passed over: an order that it was about is told from SQL, or not at all."""
        event = read(record, lambda record: decode(record.headers, record.value or b""), log, self._alarm)
        if event is not None:
            self._tail.apply(record.partition, record.offset, event)

    async def _seek(self, consumer: AIOKafkaConsumer, places: list[TopicPartition], log: Log) -> None:
        """Behind what SQL has; to the end where nobody can say what that is."""
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        starts = await consumer.beginning_offsets(places)
        passed = await self._passed(len(places))
        if passed is None:
            log(Action.SQL_AWAY, reason="orders of before this start are not shown until it is back")
        for place in places:
            offset = ends[place]
            if passed is not None:
                offset = min(max(passed[place.partition] + 1, starts[place]), offset)
                self._tail.pass_by(place.partition, passed[place.partition])
            else:
                self._tail.begin_at(place.partition, offset)
            consumer.seek(place, offset)
            if offset < ends[place]:
                self._ends[place.partition] = ends[place]

    async def _look(self, partitions: int) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            passed = await self._passed(partitions)
            for partition, offset in enumerate(passed or ()):
                self._tail.pass_by(partition, offset)

    async def _passed(self, partitions: int) -> list[int] | None:
        """The offset up to which SQL has all, of each partition; None if it does not answer."""
        try:
            return await self._lookup.passed(self._topic, partitions)
        except ProblemError:
            return None
