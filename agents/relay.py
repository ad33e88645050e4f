"""The relay: from stock's facts to orders, from orders' events to stock. Stateless: streams/relaying.py has the rules.

One write of all that waits, acked before it is; what a kill makes it write twice, both folds absorb.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from agents.appender import Appender
from agents.command_writer import CommandWriter
from agents.duty import Context, Duty
from agents.duty import run as run_duty
from domain.roles import Role
from settings import RelaySettings
from streams import relaying
from streams.actions import Action
from streams.chunks import Chunk
from streams.order_events import OrderEvent, decode
from streams.records import decode_fact
from streams.topics import named

PROGRAM = "relay"


class Commands(defaultdict[int, list[Any]]):
    """By partition."""

    def __init__(self) -> None:
        super().__init__(list)


def run(settings: RelaySettings) -> int:
    """Run until asked to stop; the exit code (agents/exits.py)."""
    topics = named(settings.namespace)
    writes = [topics.order_commands, topics.stock_commands, topics.dead_letters]
    return run_duty(settings, Duty(PROGRAM, [topics.stock_events, topics.order_events], writes), Relay())


class Relay:
    """Both ways in one role, so that every process of it reads both topics."""

    _context: Context
    _orders: CommandWriter
    _stock: CommandWriter
    _letters: Appender

    async def start(self, context: Context) -> None:
        """Connect the writers."""
        self._context = context
        self._orders = context.order_commands(Role.RELAY)
        self._stock = context.stock_commands(Role.ORDER)
        self._letters = context.appender("letters")
        await self._orders.start()
        await self._stock.start()

    async def stop(self) -> None:
        """Disconnect the writers."""
        await self._orders.stop()
        await self._stock.stop()
        await self._letters.stop()

    async def take_all(self, chunks: Sequence[Chunk]) -> None:
        """Pass on what the chunks ask and answer."""
        to_orders, to_stock = Commands(), Commands()
        for source, records in chunks:
            facts = source.topic == self._context.topics.stock_events.name
            for record in records:
                try:
                    if facts:
                        self._take_fact(source, record, to_orders)
                    else:
                        self._take_event(source, record, to_stock)
                except (ValueError, LookupError) as error:  # UndecodableError is a ValueError
                    await self._letters.bury(self._context.topics.dead_letters.name, source, record, str(error))
                    self._context.metrics.dead_letters.inc()
        await asyncio.gather(self._orders.write(to_orders), self._stock.write(to_stock))

    def _take_fact(self, source: TopicPartition, record: ConsumerRecord, wanted: Commands) -> None:
        fact = decode_fact(record.value or b"")
        told = relaying.to_orders(source.partition, fact, self._context.identity.partitions)
        for home, commands in told.commands.items():
            wanted[home].extend(commands)
        for problem in told.problems:
            self._alarm(source, record, problem)

    def _take_event(self, source: TopicPartition, record: ConsumerRecord, wanted: Commands) -> None:
        event = decode(record.headers, record.value or b"")
        if not isinstance(event, OrderEvent) or not event.asks:
            return
        for partition, commands in relaying.to_stock(event).items():
            if 0 <= partition < self._context.identity.partitions:
                wanted[partition].extend(commands)
            else:
                self._alarm(source, record, f"asks something of partition {partition}, which does not exist")

    def _alarm(self, source: TopicPartition, record: ConsumerRecord, problem: str) -> None:
        log, metrics = self._context.log, self._context.metrics
        log(Action.RELAY_STRAY, topic=source.topic, partition=source.partition, offset=record.offset, problem=problem)
        metrics.alarm(Action.RELAY_STRAY.label)
