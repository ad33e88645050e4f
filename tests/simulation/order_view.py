"""A gateway's view of the orders of a partition, from their events."""

from typing import TYPE_CHECKING, Any, NamedTuple

from domain.outcomes import REPEATED
from streams.order_events import ROW_EVENTS, Decided, OrderEvent
from tests.simulation.gateway import View

if TYPE_CHECKING:
    from tests.simulation.world import World


class Heard(NamedTuple):
    """A record of order.events. `place`: ledger offset, and its place among the facts of the record."""

    place: tuple[int, int]
    event: OrderEvent | Decided


class OrderView(View):
    """By order: (version, sequence), and the public state. None ever goes back."""

    def fold(self, world: "World", told: Any) -> None:
        self.newest = max(self.newest, told.place)
        event = told.event
        if isinstance(event, OrderEvent) and event.kind in ROW_EVENTS:
            self.set(world, event.order, (event.version, event.sequence), event.state)

    def answers(self, told: Any) -> tuple[str, int, list[tuple[int, tuple[int, int, int] | None]]]:
        event = told.event
        if not isinstance(event, Decided):
            return "", 0, []
        return event.sender, event.number, [(code & ~REPEATED, None) for code in event.outcomes]
