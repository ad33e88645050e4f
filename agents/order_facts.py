"""Publishes the order ledger's facts: each becomes some events, one record each (streams/order_events.py)."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer

from agents.facts import Failed
from streams.effects import Publish
from streams.machine import PartitionMachine
from streams.order_publication import records_of
from streams.slices import Slices


class OrderFacts:
    """The events of one partition. `events` is the topic; `source` says in each whose they are."""

    def __init__(
        self, events: str, source: str, machine: PartitionMachine, producer: AIOKafkaProducer, failed: Failed
    ) -> None:
        del failed  # the publisher tells it of what could not be sent
        self._events = events
        self._source = source
        self._partition = machine.partition
        self._producer = producer

    async def send(self, fact: Publish) -> asyncio.Future[Any]:
        """All its events, in order."""
        slices = Slices()
        acks = []
        for record in records_of(self._source, self._partition, fact.value):
            acks.append(
                await self._producer.send(
                    self._events, record.value, key=record.key, partition=self._partition, headers=record.headers
                )
            )
            await slices.pause()
        return asyncio.gather(*acks)

    def on_owning(self) -> None:
        """Nothing: what is not known to be published, the machine asks for."""

    def on_dropped(self) -> None:
        """Nothing is remembered here."""

    async def run(self) -> None:
        """Nothing to do beside."""
