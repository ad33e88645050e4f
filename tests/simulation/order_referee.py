"""The referee of an order partition: every step is one of the table's, and what it says of goods and money is so."""

from typing import TYPE_CHECKING, Any

from domain.ids import hold_id
from domain.orders import Phase
from streams.order_events import OrderEvent, encode
from streams.order_records import decode_details, events_of
from tests.simulation.order_rows import RESTING, OrderRow, OrderRows, OrderViolatedError
from tests.simulation.order_view import Heard
from tests.simulation.referee import Accepted, Referee

if TYPE_CHECKING:
    from tests.simulation.journey import Journey
    from tests.simulation.part import Part

SOURCE = "/turnstile/simulated/order.ledger"


class OrderReferee(Referee):
    """Looks into stock and into the provider's book at the moment an order says that it has both."""

    world: "Journey"

    def __init__(self, world: "Journey", part: "Part") -> None:
        self.rows = OrderRows(world.trade.rules.attempts_max)
        super().__init__(world, part)

    def on_accepted(self, accepted: Accepted) -> list[tuple[bytes, Any]]:
        """The events, and what they tell."""
        offset, decided = accepted.offset, accepted.decided
        changes = [change for run in decode_details(decided.details).changes for change in run.items]
        try:
            stepped = self.rows.fold(changes)
        except OrderViolatedError as error:
            self.bad("an order stepped off the table", f"at {offset}: {error}")
        for order, row in stepped:
            self.world.count(f"order: {row.phase.value}")
            if row.phase in {Phase.PAID, Phase.CONFIRMED}:
                self._paid(order, row)
        events = events_of(self.part.partition, offset, decided)
        for event in events:
            if isinstance(event, OrderEvent) and event.action:
                self.world.provider.challenge(event.intent)
        return [(encode(event, SOURCE).value, Heard((offset, at), event)) for at, event in enumerate(events)]

    def _paid(self, order: bytes, row: OrderRow) -> None:
        for place, line in enumerate(row.lines):
            if row.letters[place] == "s":
                hold = self.world.stock[line.partition].referee.rows.rows.get(hold_id(order, line.line))
                if hold is None or hold.state != "sold" or hold.quantity != line.quantity:
                    self.bad("paid for what was not sold", f"{order.hex()} {row}, hold {hold}")
        captured, refunded = self.world.money(order)
        if captured != row.captured or refunded:
            self.bad("paid without money", f"{order.hex()} {row}, captured {captured}, refunded {refunded}")

    def restless(self) -> str:
        """Orders end, or rest with their customer."""
        for order, row in self.rows.rows.items():
            if row.phase in {Phase.CREATED, Phase.PENDING, Phase.PAID, Phase.UNDO, Phase.RETURNING}:
                return f"order {order.hex()} is {row}"
        return ""

    def portrait(self, state: Any) -> Any:
        """All rows and stubs."""
        return (state.clk, sorted(state.rows, key=lambda row: row.order))

    def stands(self) -> dict[Any, str]:
        """What a view should say at the end."""
        return {self.world.text(order): row.public for order, row in self.rows.rows.items()}


def resting(row: OrderRow) -> bool:
    """Whether its customer has what was paid for."""
    return row.phase in RESTING
