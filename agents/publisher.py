"""Sends the facts of one partition, in order, with the dead letters among them; their acks come back by callback."""

import asyncio
from collections import deque
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

from agents.facts import Facts, Failed
from streams.actions import Action
from streams.dead_letters import letter_headers
from streams.effects import DeadLetter, Publish
from streams.logs import Log
from streams.machine import PartitionMachine
from streams.metrics import WorkerMetrics
from streams.topics import LedgerTopics


class Publisher:
    """`producer` is not the ledger's: aiokafka has one request in flight, and the ledger must not wait for facts.

    `facts` knows as which records a fact is published.
    """

    def __init__(
        self,
        machine: PartitionMachine,
        producer: AIOKafkaProducer,
        topics: LedgerTopics,
        facts: Facts,
        metrics: WorkerMetrics,
        log: Log,
        failed: Failed,
    ) -> None:
        self._machine = machine
        self._producer = producer
        self._topics = topics
        self._facts = facts
        self._metrics = metrics
        self._log = log
        self._failed = failed
        self._outgoing: deque[Publish | DeadLetter] = deque()
        self._unacked = 0
        self._wake = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Everything that was asked for is acked."""
        return not self._outgoing and not self._unacked

    def enqueue(self, effect: Publish | DeadLetter) -> None:
        """Send it after what was asked for before. The machine pauses deciding when too much waits (W7)."""
        self._outgoing.append(effect)
        self._wake.set()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            while self._outgoing:
                effect = self._outgoing[0]
                future = await (self._facts.send(effect) if isinstance(effect, Publish) else self._letter(effect))
                self._outgoing.popleft()
                self._unacked += 1
                future.add_done_callback(partial(self._acked, effect))
            self._wake.clear()
            await self._wake.wait()

    async def _letter(self, letter: DeadLetter) -> asyncio.Future[RecordMetadata]:
        topic, partition = self._topics.commands.name, self._machine.partition
        future: asyncio.Future[RecordMetadata] = await self._producer.send(
            self._topics.dead_letters.name,
            letter.value,
            key=topic.encode(),
            partition=partition,
            headers=letter_headers(topic, partition, letter.offset, letter.timestamp_ms, letter.reason),
        )
        return future

    def _acked(self, effect: Publish | DeadLetter, future: asyncio.Future[Any]) -> None:
        if future.cancelled():
            return
        if future.exception():
            self._failed("a fact", future.exception())
        self._unacked -= 1
        if isinstance(effect, Publish):
            self._machine.on_published(effect.ledger_offset)
        else:
            self._metrics.dead_letters.inc()
            self._log(
                Action.DEAD_LETTER,
                topic=self._topics.commands.name,
                partition=self._machine.partition,
                offset=effect.offset,
                reason=effect.reason,
            )
