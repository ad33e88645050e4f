"""The relay: from stock's facts to orders, from orders' events to stock. Stateless: streams/relaying.py has the rules.

One write a chunk and topic, acked before the chunk is; what a kill makes it write twice, both folds absorb.
"""

from collections.abc import Sequence

from aiokafka import ConsumerRecord, TopicPartition

from agents.appender import Appender
from agents.command_writer import CommandWriter
from agents.duty import Context, Duty
from agents.duty import run as run_duty
from domain.orders import OrderCommand
from domain.roles import Role
from domain.stock import Command
from settings import RelaySettings
from streams.actions import Action
from streams.order_events import OrderEvent, decode
from streams.records import UndecodableError, decode_fact
from streams.relaying import to_orders, to_stock
from streams.topics import named

PROGRAM = "relay"


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

    async def take(self, source: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        """Pass on what a chunk of one partition asks or answers."""
        if source.topic == self._context.topics.stock_events.name:
            await self._take_facts(source, records)
        else:
            await self._take_events(source, records)

    async def _take_facts(self, source: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        wanted: dict[int, list[OrderCommand]] = {}
        partitions = self._context.identity.partitions
        for record in records:
            try:
                told = to_orders(source.partition, decode_fact(record.value or b""), partitions)
            except (UndecodableError, LookupError) as error:
                await self._bury(source, record, error)
                continue
            for home, commands in told.commands.items():
                wanted.setdefault(home, []).extend(commands)
            for problem in told.problems:
                self._alarm(source, record, problem)
        await self._orders.write(wanted)

    async def _take_events(self, source: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        wanted: dict[int, list[Command]] = {}
        for record in records:
            try:
                event = decode(record.headers, record.value or b"")
                told = to_stock(event) if isinstance(event, OrderEvent) and event.asks else {}
            except (ValueError, LookupError) as error:  # UndecodableError is a ValueError
                await self._bury(source, record, error)
                continue
            for partition, commands in told.items():
                if 0 <= partition < self._context.identity.partitions:
                    wanted.setdefault(partition, []).extend(commands)
                else:
                    self._alarm(source, record, f"asks something of partition {partition}, which does not exist")
        await self._stock.write(wanted)

    async def _bury(self, source: TopicPartition, record: ConsumerRecord, error: Exception) -> None:
        await self._letters.bury(self._context.topics.dead_letters.name, source, record, str(error))
        self._context.metrics.dead_letters.inc()

    def _alarm(self, source: TopicPartition, record: ConsumerRecord, problem: str) -> None:
        log, metrics = self._context.log, self._context.metrics
        log(Action.RELAY_STRAY, topic=source.topic, partition=source.partition, offset=record.offset, problem=problem)
        metrics.alarm(Action.RELAY_STRAY.label)
