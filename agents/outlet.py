"""Appends a worker's own commands, now and then; a lost one is asked for again, so a failure is no reason to exit."""

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError


class CommandOutlet:
    """One producer; another one after a failed send, whose sequence numbers have a gap."""

    def __init__(self, make: Callable[[], AIOKafkaProducer], topic: str) -> None:
        self._make = make
        self._topic = topic
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect. KafkaError if the broker does not answer."""
        await self._started()

    async def stop(self) -> None:
        """Flush and disconnect."""
        producer, self._producer = self._producer, None
        if producer:
            await producer.stop()

    async def append(self, partition: int, value: bytes) -> int | None:
        """The record's offset (-1: appended, place unknown), None if it may or may not have been appended."""
        try:
            producer = await self._started()
        except KafkaError:
            return None
        try:
            metadata = await producer.send_and_wait(self._topic, value, partition=partition)
        except KafkaError:
            await producer.stop()
            if self._producer is producer:
                self._producer = None
            return None
        offset: int = metadata.offset
        return offset

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is not None:
                return self._producer
            producer = self._make()
            try:
                await producer.start()
            except KafkaError:
                await producer.stop()
                raise
            self._producer = producer
            return producer
