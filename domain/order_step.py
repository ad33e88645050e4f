"""What a row of the order table does with an event: the shape of a step, and what several rows share."""

from collections.abc import Mapping
from typing import NamedTuple

from domain.order_changes import NO_ASKS, Asks, StockAsk
from domain.order_row import Known, Movement, Order
from domain.order_rules import OrderRules
from domain.outcomes import Outcome
from domain.roles import Role


class Now(NamedTuple):
    """Where and when a command stands. `src` = offset of its record, `home` = the partition.

    `lines_left`: lines that answers may still ask stock for in this record. `buried`: stubs of phase EARLY, of the
    customer and in all. `moves`: the order's returns and refunds by key.
    """

    clk: int
    src: int
    index: int  # type: ignore[assignment]  # hides tuple.index
    home: int
    role: Role
    rules: OrderRules
    lines_left: int
    buried: tuple[int, int]
    moves: Mapping[bytes, Movement]


class Tell(NamedTuple):
    """Something that changes no row: see domain.order_changes.Noticed."""

    kind: str
    asks: Asks = NO_ASKS
    reason: str = ""
    attempt: int = 0
    intent: str = ""
    amount: int = 0


class Step(NamedTuple):
    """The outcome, and the row after it (None: no change). `shipping` of a new order, `extend` = more to ask.

    `bury`: a cancel that came first. `tell`: what is said though no row changes.
    """

    outcome: int
    row: Order | None = None
    tell: Tell | None = None
    extend: tuple[StockAsk, ...] = ()
    shipping: bytes = b""
    bury: bool = False


UNCHANGED = Step(Outcome.UNCHANGED)
ACCEPTED = Step(Outcome.ACCEPTED)
REFUSED = Step(Outcome.REFUSED)
NOT_YOURS = Step(Outcome.NOT_YOURS)
UNKNOWN_ORDER = Step(Outcome.UNKNOWN_ORDER)
KEY_REUSED = Step(Outcome.KEY_REUSED, tell=Tell("key-reused"))
BUSY = Step(Outcome.BUSY)


def noted(row: Order) -> Step:
    """An agent's answer moved the order."""
    return Step(Outcome.NOTED, row)


def accepted(row: Order) -> Step:
    """A client's or an operator's wish moved the order."""
    return Step(Outcome.ACCEPTED, row)


def theirs(known: Known, customer: bytes) -> bool:
    """Whether a customer (b"" = an operator) may wish anything for this order."""
    return not customer or not known.customer or known.customer == customer
