"""Appends records for a stateless agent until they are acked, whatever becomes of a producer.

A record that failed is sent again, the same bytes by another producer: it may then be there twice, which its readers
absorb. A crash between ack and commit does the same.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from agents.renewed import RenewedProducer
from streams.actions import Action
from streams.dead_letters import letter_headers
from streams.logs import Log

AGAIN_S = 0.5
"""Between two attempts at a broker that is away."""
STOP_S = 5.0


class Appender:
    """Producers are made by `make`."""

    def __init__(self, make: Callable[[], AIOKafkaProducer], log: Log) -> None:
        self._log = log
        self._producers = RenewedProducer(make, _close)

    async def start(self) -> None:
        """Connect. KafkaError if the broker does not answer."""
        await self._producers.started()

    async def stop(self) -> None:
        """Flush and disconnect."""
        await self._producers.stop()

    async def append(
        self,
        topic: str,
        partition: int,
        value: bytes,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Return when it is acked, however long that takes. Await it before the next of the partition."""
        acked = await self._try(topic, partition, value, key, headers)
        while not acked:
            await asyncio.sleep(AGAIN_S)
            acked = await self._try(topic, partition, value, key, headers)

    async def bury(self, topic: str, source: TopicPartition, record: ConsumerRecord, reason: str) -> None:
        """Append a record that nobody can read to the dead letters, as it was."""
        headers = letter_headers(source.topic, source.partition, record.offset, record.timestamp, reason)
        await self.append(topic, source.partition, record.value or b"", source.topic.encode(), headers)
        self._log(
            Action.DEAD_LETTER, topic=source.topic, partition=source.partition, offset=record.offset, reason=reason
        )

    async def _try(
        self, topic: str, partition: int, value: bytes, key: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> bool:
        """Whether it is acked; if not, it may or may not be there."""
        try:
            producer = await self._producers.started()
        except KafkaError as error:
            self._log(Action.BROKER_AWAY, reason=repr(error))
            return False
        try:
            await producer.send_and_wait(topic, value, key=key, partition=partition, headers=list(headers))
        except KafkaError as error:
            if self._producers.current is producer:
                self._log(Action.PRODUCER_REPLACED, reason=repr(error))
            await self._producers.discard(producer)
            return False
        return True


async def _close(producer: AIOKafkaProducer) -> None:
    """For at most STOP_S: it waits for acks, which a broker that is away does not send."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await producer.stop()
