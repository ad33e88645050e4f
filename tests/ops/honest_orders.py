"""Orders from click to parcel in two real logs in memory, stock's and the orders', kept in step by hand."""

from typing import Any

from domain import orders as o
from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.payment import Operation, PayOutcome
from domain.roles import Role
from domain.stock import Commit, Release, Return
from ops.audit.journey import Money, Records, Stored
from ops.audit.source import MemorySource, Stream
from tables.orders import OrderFold
from tests.ops.honest_log import LOG_ID, PRINT, HonestLog, ask, customer, order

PRICE = 4_900


class HonestOrders(HonestLog):
    """One partition of the order ledger."""

    streams = (Stream.ORDER_LEDGER, Stream.ORDER_COMMANDS)

    def __init__(self) -> None:
        super().__init__(fold=OrderFold())


class Shop:
    """Both ledgers of one partition; each step of an order is one record of each that it concerns."""

    def __init__(self, units: int = 10) -> None:
        self.stock = HonestLog()
        self.orders = HonestOrders()
        self.stock.claim()
        self.orders.claim()
        self.stock.open_sale(units=units)
        self.book: list[Money] = []
        self.stored: dict[str, Stored] = {}

    def both(self, *commands: Any, role: Role) -> None:
        """Decide on the order side, at stock's time."""
        self.orders.now_ms = max(self.orders.now_ms, self.stock.now_ms)
        self.orders.do(*commands, role=role)
        self.stock.now_ms = max(self.orders.now_ms, self.stock.now_ms)

    def born(self, number: int, method: str = "pm_card_visa") -> None:
        """A grant, and the order of it."""
        self.stock.do(ask(number))
        receipt = self.stock.accepted.src, 0
        deadline = self.stock.now_ms + 60_000
        who = customer(number)
        self.both(
            o.Born(order(number), "shoe", who, 1, PRICE, "EUR", deadline, PRINT, *receipt, method, b""), role=Role.RELAY
        )

    def pay(self, number: int, operation: Operation, outcome: PayOutcome, amount: int = PRICE, **more: Any) -> None:
        """The provider's answer."""
        answer = o.PayAnswered(order(number), 1, operation, outcome, f"pi_{number}", amount, **more)
        self.both(answer, role=Role.PAYMENT)

    def settle(self, number: int, kind: type, asked: str, outcome: Outcome) -> None:
        """Stock does what the order asks, and the order hears of it."""
        hold, reference = hold_id(order(number)), 0
        if kind is Return:
            movement = self.orders.state.rows.get(order(number)).movement
            reference = movement.reference
        command = Return(hold, reference, 1, True) if kind is Return else kind(hold)
        self.stock.do(command, role=Role.ORDER)
        self.both(o.LineAnswered(order(number), 0, asked, outcome, reference), role=Role.RELAY)

    def sell(self, number: int, method: str = "pm_card_visa") -> None:
        """From a click to CONFIRMED."""
        self.born(number, method)
        self.pay(number, Operation.AUTHORISE, PayOutcome.AUTHORISED)
        self.settle(number, Commit, "commit", Outcome.COMMITTED)
        self.pay(number, Operation.CAPTURE, PayOutcome.CAPTURED)
        self.both(o.Booked(order(number), 5), role=Role.CONFIRMATION)

    def give_up(self, number: int) -> None:
        """Born, authorised, cancelled, and undone on both sides."""
        self.born(number)
        self.pay(number, Operation.AUTHORISE, PayOutcome.AUTHORISED)
        self.both(o.Cancel(order(number), bytes(8), customer(number)), role=Role.GATEWAY)
        self.settle(number, Release, "release", Outcome.RELEASED)
        self.pay(number, Operation.VOID, PayOutcome.VOIDED, 0)

    def charge(self, number: int, captured: int = PRICE, refunded: int = 0, **more: Any) -> Money:
        """A row of the provider's book."""
        from_book = {"authorised": PRICE, "voided": PRICE - captured, "status": "succeeded" if captured else "canceled"}
        return Money(LOG_ID.hex(), f"pi_{number}", text(number), 1, captured, refunded, **{**from_book, **more})

    def source(self, **changed: Any) -> MemorySource:
        """Both logs; `orders` or `stock` = (ledger, commands) of a changed copy."""
        stock = self.stock.entries(*changed.get("stock", (None, None)))
        return MemorySource(1, {**stock, **self.orders.entries(*changed.get("orders", (None, None)))})

    def records(self, *stored: Stored) -> Records:
        """What SQL would have."""
        return Records({row.order: row for row in stored}, {0: len(self.orders.ledger)})


def text(number: int) -> str:
    from_bytes = order(number).hex()
    return "-".join((from_bytes[:8], from_bytes[8:12], from_bytes[12:16], from_bytes[16:20], from_bytes[20:]))
