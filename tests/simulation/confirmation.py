"""The confirmation agent: events into the system of record, here a dictionary, and back to the order that it is in."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from domain.ids import parse_order
from domain.orders import Ask, Booked
from domain.roles import Role
from streams.order_events import OrderEvent
from tests.simulation.agent import Agent
from tests.simulation.part import Part

if TYPE_CHECKING:
    from tests.simulation.journey import Journey


class Record:
    """An order's row, and its history by (version, sequence): a repeated event finds itself there."""

    __slots__ = ("at", "captured", "history", "refunded", "state")

    def __init__(self) -> None:
        self.at = (0, 0)
        self.state = ""
        self.captured = 0
        self.refunded = 0
        self.history: dict[tuple[int, int], str] = {}


class Confirmation(Agent):
    """Upsert by (order, version), then `Booked` for whoever asked."""

    world: "Journey"

    def handle(self, part: Part, values: list[bytes], begin: Callable[[], None], done: Callable[[], None]) -> None:
        world = self.world
        booked: list[Booked] = []
        world.reached("before a booking", self)
        if not self.alive:
            return
        for value in values:
            event = world.facts[value].event
            if not isinstance(event, OrderEvent):
                continue
            self.store(event)
            wanted = sum(ask.kind == Ask.CONFIRM for ask in event.asks)
            booked += [Booked(parse_order(event.order), event.version)] * wanted
        world.reached("after a booking", self)
        if self.alive and booked:
            self.write(part, Role.CONFIRMATION, booked, begin, done)

    def store(self, event: OrderEvent) -> None:
        """One transaction."""
        if not event.version or event.kind not in {"changed", "progressed"}:
            return
        record = self.world.sql.setdefault(event.order, Record())
        at = (event.version, event.sequence)
        if at in record.history or at < record.at:
            self.world.count("rows that were there")
            return
        record.history[at] = event.state
        record.at, record.state = at, event.state
        record.captured, record.refunded = event.captured, event.refunded
