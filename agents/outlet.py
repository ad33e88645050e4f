"""Appends a worker's own commands, now and then; a lost one is asked for again, so a failure is no reason to exit."""

from collections.abc import Callable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents.renewed import RenewedProducer


class CommandOutlet:
    """Producers are made by `make`."""

    def __init__(self, make: Callable[[], AIOKafkaProducer], topic: str) -> None:
        self._topic = topic
        self._producers = RenewedProducer(make)

    async def start(self) -> None:
        """Connect. KafkaError if the broker does not answer."""
        await self._producers.started()

    async def stop(self) -> None:
        """Flush and disconnect."""
        await self._producers.stop()

    async def append(self, partition: int, value: bytes) -> int | None:
        """The record's offset (-1: appended, place unknown), None if it may or may not have been appended."""
        try:
            producer = await self._producers.started()
        except KafkaError:
            return None
        try:
            metadata = await producer.send_and_wait(self._topic, value, partition=partition)
        except KafkaError:
            await self._producers.discard(producer)
            return None
        offset: int = metadata.offset
        return offset
