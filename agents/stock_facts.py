"""Publishes the stock ledger's facts, each as one record; and hints for starting views, on stock.pools.

A hint says what a touched pool looked like a moment ago; it is never a fact. The state that it is taken from may be
some records ahead of what is accepted. Nothing false comes of it: these records' commands are in the log, and every
command is decided, by whomever, with the same result.
"""

import asyncio
from collections import deque

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from agents.facts import Failed
from streams.effects import Publish, Role
from streams.machine import PartitionMachine
from streams.records import decode_decided, decode_fact
from streams.slices import Slices
from streams.stock_records import decode_totals, encode_hint
from tables.stock import hint

EVERY_S = 1.0
"""A pool that is touched a thousand times a second is written once a second."""
REWRITTEN_S = 60
"""A new owner writes again what was touched in this time: its predecessor may have died before it could."""


class StockFacts:
    """The facts and hints of one partition. `events` and `pools` are topics."""

    def __init__(
        self, events: str, pools: str, machine: PartitionMachine, producer: AIOKafkaProducer, failed: Failed
    ) -> None:
        self._machine = machine
        self._producer = producer
        self._events = events
        self._pools = pools
        self._failed = failed
        self._touched: dict[str, None] = {}
        self._sources: deque[int] = deque(maxlen=int(REWRITTEN_S / EVERY_S))
        """Last accepted src, once a second."""

    async def send(self, fact: Publish) -> asyncio.Future[RecordMetadata]:
        """As it is; its pools will be written."""
        for totals in decode_totals(decode_decided(decode_fact(fact.value).body).details):
            self._touched[totals.sku] = None
        future: asyncio.Future[RecordMetadata] = await self._producer.send(
            self._events, fact.value, partition=self._machine.partition
        )
        return future

    def on_owning(self) -> None:
        """Write again what was touched lately, as far as this process has followed; else everything."""
        known = len(self._sources) == self._sources.maxlen
        since = self._sources[0] if known else -1
        pools = self._machine.state.pools.values()
        self._touched.update((pool.sku, None) for pool in pools if pool.touched_at > since)

    def on_dropped(self) -> None:
        """The state is being folded again: what was followed before says nothing about it."""
        self._sources.clear()

    async def run(self) -> None:
        """Write hints for ever, once a second."""
        while True:
            await asyncio.sleep(EVERY_S)
            machine = self._machine
            if machine.role is Role.OWNER:
                await self._write()
            if machine.role in {Role.OWNER, Role.WARM}:
                self._sources.append(machine.accepted.src)

    async def _write(self) -> None:
        """All in a few batches of our own: a send for each would cost ten times as much, and there may be thousands."""
        machine = self._machine
        touched, self._touched = self._touched, {}
        slices = Slices()
        batch = self._producer.create_batch()
        for sku in touched:
            pool = machine.state.pools.get(sku)
            if pool is None:
                continue  # fenced meanwhile: the next owner writes it
            value = encode_hint(hint(pool, machine.accepted.offset, machine.state.clk))
            while batch.append(timestamp=None, key=sku.encode(), value=value) is None:
                await self._send(batch)
                batch = self._producer.create_batch()
            await slices.pause()
        if batch.record_count():
            await self._send(batch)

    async def _send(self, hints: BatchBuilder) -> None:
        future = await self._producer.send_batch(hints, self._pools, partition=self._machine.partition)
        future.add_done_callback(self._acked)

    def _acked(self, future: asyncio.Future[RecordMetadata]) -> None:
        if not future.cancelled() and future.exception():
            self._failed(f"hints about pools of partition {self._machine.partition}", future.exception())
