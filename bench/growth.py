"""Waits until a partition has grown: what a worker has done, without asking it."""

import asyncio
from typing import NamedTuple, Self

from streams.kafka_log import KafkaLog

END_S = 120.0
POLL_S = 0.005


class Growth(NamedTuple):
    """Of a partition, from `start` on."""

    log: KafkaLog
    topic: str
    partition: int
    start: int

    @classmethod
    async def of(cls, log: KafkaLog, topic: str, partition: int) -> Self:
        """From now on."""
        return cls(log, topic, partition, await log.end(topic, partition))

    async def reaches(self, records: int) -> int:
        """How many there are, when there are so many. TimeoutError if there never are."""
        async with asyncio.timeout(END_S):
            while True:
                grown = await self.log.end(self.topic, self.partition) - self.start
                if grown >= records:
                    return grown
                await asyncio.sleep(POLL_S)
