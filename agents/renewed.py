"""A producer that is replaced after a failed send: its sequence numbers have a gap, so every later send would fail."""

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

Close = Callable[[AIOKafkaProducer], Awaitable[None]]


async def _stop(producer: AIOKafkaProducer) -> None:
    await producer.stop()


class RenewedProducer:
    """One at a time, made by `make` when it is needed, ended by `close`."""

    def __init__(self, make: Callable[[], AIOKafkaProducer], close: Close = _stop) -> None:
        self._make = make
        self._close = close
        self.current: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def started(self) -> AIOKafkaProducer:
        """The one that there is, or another one. KafkaError if the broker does not answer."""
        async with self._starting:
            if self.current is not None:
                return self.current
            producer = self._make()
            try:
                await producer.start()
            except KafkaError:
                await self._close(producer)
                raise
            self.current = producer
            return producer

    async def discard(self, producer: AIOKafkaProducer) -> None:
        """A send of it failed: the next is sent by another one."""
        if self.current is producer:
            self.current = None
            await self._close(producer)

    async def stop(self) -> None:
        """Flush and disconnect."""
        producer, self.current = self.current, None
        if producer:
            await self._close(producer)
