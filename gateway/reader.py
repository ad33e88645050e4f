"""Feeds the view from the log: first hints about pools, then facts from a window back on, then as they come."""

import asyncio
import sys

from aiokafka import AIOKafkaConsumer, TopicPartition

from gateway.logtime import LogTime
from gateway.view import View
from streams.actions import Action
from streams.kafka import catch_up_consumer, follow_consumer
from streams.logs import Log
from streams.slices import Slices
from streams.stock_records import decode_hint
from streams.topics import Topics

MARGIN_MS = 60_000
"""Read before the window only to learn which facts are first occurrences: an owner that was paused for longer than
this, and publishes then, could show a grant of before the window once more, until its deadline."""
POLL_MS = 1_000


class FactReader:
    """Reads all partitions, without a group. `caught_up` is set once the ends at the start are reached."""

    def __init__(self, servers: str, topics: Topics, view: View, logtime: LogTime, window_ms: int) -> None:
        self.caught_up = asyncio.Event()
        self._servers = servers
        self._topics = topics
        self._view = view
        self._logtime = logtime
        self._window_ms = window_ms
        self._starts_ms: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    async def run(self, partitions: int, log: Log) -> None:
        """Read until cancelled; log time must be known. KafkaError if a position is lost, UndecodableError."""
        await self._read_hints()
        consumer = follow_consumer(self._servers, "gateway-facts")
        try:
            await consumer.start()
            await self._seek(consumer, [TopicPartition(self._topics.stock_events.name, p) for p in range(partitions)])
            while True:
                if not self._ends:
                    self.caught_up.set()
                fetched = await consumer.getmany(timeout_ms=POLL_MS)
                slices = Slices()
                for place, records in fetched.items():
                    for record in records:
                        self._take(place.partition, record.timestamp, record.value)
                        await slices.pause(prompt=True)  # requests get their turn, and who was answered may ask again
                    if records and records[-1].offset + 1 >= self._ends.get(place.partition, sys.maxsize):
                        del self._ends[place.partition]
                        log(Action.CAUGHT_UP, partition=place.partition, offset=records[-1].offset)
        finally:
            await consumer.stop()

    async def _read_hints(self) -> None:
        """All of the compacted topic, once: facts tell what comes after."""
        consumer = catch_up_consumer(self._servers, "gateway-pools")
        name = self._topics.stock_pools.name
        try:
            await consumer.start()
            await consumer.topics()
            places = [TopicPartition(name, p) for p in sorted(consumer.partitions_for_topic(name) or ())]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            starts = await consumer.beginning_offsets(places)
            for place in places:
                consumer.seek(place, starts[place])
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    for record in records:
                        if record.value is not None:
                            self._view.pools.hint(decode_hint(record.value))
        finally:
            await consumer.stop()

    async def _seek(self, consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> None:
        """To the first record of the window and its margin, or to the end where nothing is that young."""
        self._starts_ms = {p: self._logtime.now_ms(p) - self._window_ms for _, p in places}
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found = await consumer.offsets_for_times(
            {place: max(0, self._starts_ms[place.partition] - MARGIN_MS) for place in places}
        )
        for place in places:
            offset = found[place].offset if found.get(place) else ends[place]
            consumer.seek(place, offset)
            if offset < ends[place]:
                self._ends[place.partition] = ends[place]

    def _take(self, partition: int, timestamp_ms: int, value: bytes) -> None:
        if timestamp_ms < self._starts_ms[partition]:
            self._view.skip(partition, value)
        else:
            self._view.apply(partition, value)
            self._logtime.see(partition, timestamp_ms)
