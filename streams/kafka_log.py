"""The log in Kafka, behind the port of streams/log.py."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from streams import kafka
from streams.log import AppendError, Position, Record, StalledError, TrimmedError, UnknownTopicError
from streams.topics import RECORD_BYTES_MAX

POLL_MS = 500
STALL_S = 30.0
"""A broker that is restarted is away for 4 to 12 s."""


_AskOffsets = Callable[[list[TopicPartition]], Awaitable[dict[TopicPartition, int]]]


class KafkaLog:
    """`async with KafkaLog(servers) as log`. StalledError when nothing answers at `servers`.

    Each read has a consumer of its own, so reads may run side by side; appends share one producer.
    """

    def __init__(self, servers: str, client_id: str = "turnstile") -> None:
        self._servers = servers
        self._client_id = client_id
        self._watch: AIOKafkaConsumer | None = None
        self._producer: AIOKafkaProducer | None = None
        self._producing = asyncio.Lock()
        self._known: set[TopicPartition] = set()

    async def start(self) -> None:
        """Connect."""
        watch = kafka.catch_up_consumer(self._servers, self._client_id)
        await _start(watch, self._servers)
        self._watch = watch

    async def stop(self) -> None:
        """Disconnect; what was appended is appended."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None
        if self._watch is not None:
            await self._watch.stop()
            self._watch = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.stop()

    async def append(self, topic: str, partition: int, value: bytes, key: bytes | None = None) -> Position:
        """Wait for the ack of all in-sync replicas. A producer that failed is replaced: its sequence has a gap."""
        size = len(value) + len(key or b"")
        if size > RECORD_BYTES_MAX:
            message = f"a record of {size} bytes, more than {RECORD_BYTES_MAX}"
            raise ValueError(message)
        await self._partition(topic, partition)
        producer = await self._started_producer()
        try:
            appended = await producer.send_and_wait(topic, value, key=key, partition=partition)
        except KafkaError as error:
            if self._producer is producer:
                self._producer = None
            await producer.stop()
            message = f"append to {topic}[{partition}]: {error!r}"
            raise AppendError(message) from error
        return Position(appended.offset, appended.timestamp)

    async def read(self, topic: str, partition: int, start: int, end: int | None = None) -> AsyncIterator[Record]:
        """Fetch until `end`, or where the log ended when this began."""
        source = await self._partition(topic, partition)
        reached = await self.end(topic, partition)
        stop = reached if end is None else min(end, reached)
        if start >= stop:
            return
        reader = kafka.catch_up_consumer(self._servers, self._client_id)
        await _start(reader, self._servers)
        try:
            reader.assign([source])
            reader.seek(source, start)
            heard = time.monotonic()
            while await reader.position(source) < stop:
                records = (await reader.getmany(source, timeout_ms=POLL_MS)).get(source, ())
                if records:
                    heard = time.monotonic()
                elif time.monotonic() - heard > STALL_S:
                    message = f"nothing from {topic}[{partition}] for {STALL_S:.0f} s"
                    raise StalledError(message)
                for record in records:
                    if record.offset >= stop:
                        return
                    yield Record(record.offset, record.timestamp, record.value)
        except OffsetOutOfRangeError as error:
            message = f"{topic}[{partition}] begins at {await self.beginning(topic, partition)}, not at {start}"
            raise TrimmedError(message) from error
        finally:
            await reader.stop()

    async def beginning(self, topic: str, partition: int) -> int:
        """Ask the partition's leader. StalledError if it does not answer."""
        source = await self._partition(topic, partition)
        return await self._offset(source, self._connected().beginning_offsets)

    async def end(self, topic: str, partition: int) -> int:
        """Ask the partition's leader. StalledError if it does not answer."""
        source = await self._partition(topic, partition)
        return await self._offset(source, self._connected().end_offsets)

    async def _offset(self, source: TopicPartition, ask: _AskOffsets) -> int:
        try:
            return (await ask([source]))[source]
        except KafkaError as error:
            message = f"{source.topic}[{source.partition}] at {self._servers}: {error!r}"
            raise StalledError(message) from error

    def _connected(self) -> AIOKafkaConsumer:
        if self._watch is None:
            message = "this log is not started"
            raise RuntimeError(message)
        return self._watch

    async def _partition(self, topic: str, partition: int) -> TopicPartition:
        """Ask for the topic's metadata first: aiokafka would wait 40 s for a topic that is not there."""
        source = TopicPartition(topic, partition)
        if source not in self._known:
            try:
                metadata = await self._connected()._client.fetch_all_metadata()  # noqa: SLF001 - no public call asks anew
            except KafkaError as error:
                message = f"no Kafka broker answers at {self._servers}: {error}"
                raise StalledError(message) from error
            if partition not in (metadata.partitions_for_topic(topic) or ()):
                message = f"no partition {partition} of {topic} at {self._servers}: run `turnstile topics apply`"
                raise UnknownTopicError(message)
            self._known.add(source)
        return source

    async def _started_producer(self) -> AIOKafkaProducer:
        async with self._producing:
            if self._producer is None:
                producer = kafka.producer(self._servers, self._client_id)
                await _start(producer, self._servers)
                self._producer = producer
            return self._producer


async def _start(client: AIOKafkaConsumer | AIOKafkaProducer, servers: str) -> None:
    try:
        await client.start()
    except KafkaError as error:
        await client.stop()
        message = f"no Kafka broker answers at {servers}: {error}"
        raise StalledError(message) from error
