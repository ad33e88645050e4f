"""One order as the fold knows it: a row while it lives, a stub once it is final (or cancelled before its birth)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

from domain.orders import LineState, Pay, Phase, PlacedLine, Public

FINALS = frozenset({Phase.REJECTED, Phase.EXPIRED, Phase.CANCELLED, Phase.REFUNDED})
"""Nothing is owed to anybody any more, and nothing ever changes. EARLY is one as long as it is remembered."""
DEAD = FINALS | {Phase.EARLY}
STARTS = (Public.CREATED, Public.RESERVED, Public.PAYMENT_PENDING)
"""What a client is shown in turn even when several are passed at once."""
NOTHING = ""
"""The public state of an order that nobody has heard of."""


class OrderLine(NamedTuple):
    """One line. `reason`: outcome code of its refusal, 0 if there was none. Price -1 and deadline 0 until granted."""

    line: int
    sku: str
    partition: int
    quantity: int
    max_price: int
    state: LineState
    unit_price: int = -1
    deadline_ms: int = 0
    reason: int = 0
    shipped: int = 0
    delivered: int = 0
    returned: int = 0


class Movement(NamedTuple):
    """Sold units that come back, or money without goods (`line` -2); one at a time, `key` unique per order.

    `line` ALL_LINES: everything that is left, each line's quantity less what was returned before.
    """

    key: bytes
    line: int
    quantity: int
    restock: bool
    amount: int

    @property
    def reference(self) -> int:
        """What stock knows the return by."""
        return int.from_bytes(self.key) >> 1


NO_GOODS = -2
"""`line` of a Movement that is a refund alone."""


class Order(NamedTuple):
    """A living order.

    `born_ms` log time of its start; `goal` where UNDO and RETURNING lead to; `deadline_ms` 0 = none applies.
    `authorised` = amount of the attempt's intent; `amount` = what it is worth now. `asked_ms` = when the outstanding
    request about money was made first; `resume_ms` = when what is owed is asked for again (0 = nothing is), after
    `tries` such times. `method` is the attempt's, `next_method` one that came since. `public` is what was shown last,
    `sequence` counts what was shown, `version` every change.
    """

    order: bytes
    customer: bytes
    fingerprint: bytes
    offset: int
    position: int
    partial: bool
    born_ms: int
    # As domain.order_changes.Core.
    phase: Phase
    goal: Phase | None
    pay: Pay
    attempt: int = 0
    deadline_ms: int = 0
    amount: int = 0
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    asked_ms: int = 0
    resume_ms: int = 0
    tries: int = 0
    reason: str = ""
    # As domain.order_changes.Texts.
    currency: str = ""
    method: str = ""
    next_method: str = ""
    intent: str = ""
    action: str = ""
    # What else a Stepped says.
    version: int = 0
    public: str = NOTHING
    sequence: int = 0
    lines: tuple[OrderLine, ...] = ()
    movement: Movement | None = None


class Stub(NamedTuple):
    """What stays of an order that is final, or of a cancel that came before its order (phase EARLY).

    Enough to answer: a key used again (fingerprint, receipt), a cancel, a hint about money. `ended_ms`: EARLY only.
    """

    order: bytes
    customer: bytes
    fingerprint: bytes
    offset: int
    position: int
    phase: Phase
    goal: Phase
    version: int
    sequence: int
    ended_ms: int = 0

    @property
    def public(self) -> str:
        """What a client is shown."""
        return Public.CANCELLED if self.phase is Phase.EARLY else Public[self.phase.name]


Known = Order | Stub


class Rows(Protocol):
    """All orders of a partition. The compact form is tables/order_rows.py's."""

    def get(self, order: bytes) -> Known | None:
        """The row or stub, if there is one."""

    def put(self, row: Order) -> None:
        """A new row, or another content for a living one."""

    def bury(self, stub: Stub) -> None:
        """A stub in place of whatever there was."""

    def remove(self, order: bytes) -> None:
        """A stub of phase EARLY leaves."""

    def __iter__(self) -> Iterator[Known]:
        """In no order that means anything."""

    def __len__(self) -> int: ...


def fresh_lines(lines: Iterable[PlacedLine]) -> tuple[OrderLine, ...]:
    """Lines of which nothing was asked yet."""
    return tuple(OrderLine(*line[:4], line.max_price, LineState.WAITING) for line in lines)


def letters(lines: Iterable[OrderLine]) -> str:
    """Where the lines are, a letter each."""
    return "".join(line.state for line in lines)


def shown(before: str, row: Order) -> str:
    """The public state of a row whose public state was `before`. UNDO shows the last forward state until money goes."""
    phase = row.phase
    if phase is Phase.PENDING:
        return Public.PAYMENT_PENDING if row.attempt else Public.RESERVED
    if phase is Phase.RETURNING:
        return Public.REFUND_PENDING
    if phase is Phase.UNDO:
        return Public.REFUND_PENDING if row.pay in {Pay.REFUNDING, Pay.REFUNDED} else before or Public.CREATED
    return Public.CANCELLED if phase is Phase.EARLY else Public[phase.name]


def passed(before: str, after: str) -> tuple[str, ...]:
    """The public states that a client is shown in turn on the way from one to the other, without the first."""
    if before == after:
        return ()
    if after == Public.REFUNDED and before != Public.REFUND_PENDING:  # an operator found it refunded
        return (Public.REFUND_PENDING, after)
    if after not in STARTS:
        return (after,)
    start = STARTS.index(Public(before)) + 1 if before else 0
    return STARTS[start : STARTS.index(Public(after)) + 1]
