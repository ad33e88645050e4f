"""What must hold when everything has come to rest: goods, money, orders and the system of record say the same."""

from typing import TYPE_CHECKING

from domain.ids import ORDER_ID_BYTES, order_text
from domain.orders import Phase
from tests.simulation.order_rows import FINAL, RESTING, OrderRow
from tests.simulation.provider import ALIVE

if TYPE_CHECKING:
    from tests.simulation.journey import Journey

OVER = FINAL | RESTING | {Phase.EARLY}


def compare(world: "Journey") -> None:
    """ViolationError for the first that does not."""
    orders = {order: row for part in world.orders for order, row in part.referee.rows.rows.items()}
    for order, row in orders.items():
        world.count(f"end: {row.phase.value}")
        if row.phase not in OVER:
            world.violated("an order is stuck", f"{order.hex()} {row}")
        _money(world, order_text(order), row)
        _recorded(world, order_text(order), row)
    _goods(world, orders)
    _charges(world, {order_text(order) for order in orders})
    _told(world, orders)


def _money(world: "Journey", order: str, row: OrderRow) -> None:
    """Charged and sold, or uncharged and free."""
    charges = world.provider.charges_of(order)
    captured, refunded = sum(one.captured for one in charges), sum(one.refunded for one in charges)
    if sum(one.captured > 0 for one in charges) > 1:
        world.violated("charged twice", f"{order} {charges}")
    if (captured, refunded) != (row.captured, row.refunded):
        world.violated("the book says otherwise", f"{order} {row}, captured {captured}, refunded {refunded}")
    sold = "s" in row.letters
    if sold is not (row.phase in RESTING or (row.phase is Phase.REFUNDED and "s" in row.letters)):
        world.violated("goods without an order", f"{order} {row}")
    if row.phase in RESTING and not captured > refunded:
        world.violated("goods without money", f"{order} {row}")
    if row.phase not in RESTING and captured != refunded:
        world.violated("money without goods", f"{order} {row}")


def _charges(world: "Journey", known: set[str]) -> None:
    """Nothing stays open at the provider, and nothing was made for nobody."""
    for charge in world.provider.book.charges():
        if charge.status in ALIVE and charge.order not in world.provider.strays:
            world.violated("an authorisation is left", repr(charge))
        if charge.order not in known and charge.captured:
            world.violated("a charge for nobody", repr(charge))


def _recorded(world: "Journey", order: str, row: OrderRow) -> None:
    record = world.sql.get(order)
    mine = (row.version, row.public, row.captured, row.refunded)
    if record is None or (record.at[0], record.state, record.captured, record.refunded) != mine:
        said = record and (record.at, record.state, record.captured, record.refunded)
        world.violated("the record differs", f"{order} is {row}, recorded {said}")


def _goods(world: "Journey", orders: dict[bytes, OrderRow]) -> None:
    """Every hold and sale has its order, every order its sales."""
    sold: dict[bytes, dict[int, int]] = {}
    for part in world.stock:
        for hold, hold_row in part.referee.rows.rows.items():
            if hold_row.state == "held":
                world.violated("held for ever", hold.hex())
            elif hold_row.state == "sold":
                sold.setdefault(hold[:ORDER_ID_BYTES], {})[hold[ORDER_ID_BYTES]] = hold_row.left
    for order, row in orders.items():
        mine = {
            line.line: line.quantity - row.returned.get(line.line, 0)
            for line, letter in zip(row.lines, row.letters, strict=True)
            if letter == "s"
        }
        if sold.pop(order, {}) != mine:
            world.violated("sold otherwise than ordered", f"{order.hex()} {row}")
    if sold:
        world.violated("sold without an order", repr(sold))


def _told(world: "Journey", orders: dict[bytes, OrderRow]) -> None:
    """What customers were told is what became of their orders."""
    for shopper in world.shoppers:
        shopper.check(orders.get(shopper.wanted.order))
