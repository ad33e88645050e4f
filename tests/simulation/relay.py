"""The relay agents: facts of stock to orders, what orders ask of stock to stock, by streams/relaying.py."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from domain.roles import Role
from streams.order_events import OrderEvent
from streams.records import decode_fact
from streams.relaying import to_orders, to_stock
from tests.simulation.agent import Agent
from tests.simulation.part import Part

if TYPE_CHECKING:
    from tests.simulation.journey import Journey


class Relay(Agent):
    """A chunk of events, a batch for each partition that is concerned."""

    world: "Journey"

    def handle(self, part: Part, values: list[bytes], begin: Callable[[], None], done: Callable[[], None]) -> None:
        orders: dict[int, list[Any]] = {}
        stock: dict[int, list[Any]] = {}
        for value in values:
            if part in self.world.stock:
                told = to_orders(part.partition, decode_fact(value), len(self.world.orders))
                if told.problems:
                    self.world.violated("a fact that cannot be passed on", repr(told.problems))
                _add(orders, told.commands)
            elif isinstance(event := self.world.facts[value].event, OrderEvent):
                _add(stock, to_stock(event))
        for partition, commands in orders.items():
            self.write(self.world.orders[partition], Role.RELAY, commands, begin, done)
        for partition, commands in stock.items():
            self.write(self.world.stock[partition], Role.ORDER, commands, begin, done)


def _add(to: dict[int, list[Any]], commands: Mapping[int, Sequence[Any]]) -> None:
    for partition, more in commands.items():
        to.setdefault(partition, []).extend(more)
