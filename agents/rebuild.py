"""Folds a ledger partition from where its state ends, beside everything else that this process does."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.slices import Slices

AT_ONCE = 2
"""Rebuilds that run at the same time: one waits for the broker while the other folds."""
RECORDS_MAX = 20
POLL_MS = 500


class Folding(Protocol):
    """A partition as its rebuild sees it."""

    @property
    def ledger_next(self) -> int:
        """The ledger offset that it wants next."""

    @property
    def cold(self) -> bool:
        """Whether it still wants to be rebuilt."""

    def on_ledger(self, record: ConsumerRecord) -> None:
        """Fold a record."""

    def flush(self) -> None:
        """Carry out what the machine asked for."""


class Rebuilder:
    """Each rebuild has a consumer of its own, which ends with it."""

    def __init__(self, consumer: Callable[[], AIOKafkaConsumer], ledger: str, busy: Callable[[], bool]) -> None:
        """`busy`: whether this process owns anything that a rebuild could disturb."""
        self._consumer = consumer
        self._ledger = ledger
        self._busy = busy
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def rebuild(self, partition: int, folding: Folding) -> int:
        """Feed everything below the ledger's end as it is now, which is returned. KafkaError if that cannot be."""
        source = TopicPartition(self._ledger, partition)
        async with self._turn:
            consumer = self._consumer()
            await consumer.start()
            try:
                end: int = (await consumer.end_offsets([source]))[source]
                consumer.assign([source])
                consumer.seek(source, folding.ledger_next)
                slices = Slices()
                while folding.cold and folding.ledger_next < end:
                    fetched = await consumer.getmany(source, timeout_ms=POLL_MS, max_records=RECORDS_MAX)
                    for record in fetched.get(source, ()):
                        folding.on_ledger(record)
                        await slices.pause(share=self._busy())
                    folding.flush()
            finally:
                await consumer.stop()
        return end
