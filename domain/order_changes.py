"""What changes in an order, as it stands in the ledger: enough to fold without deciding, and to derive every event.

The static part is written once (Begun); then each change of an order is a Stepped: where it is now, whole, and of the
rest only what is new. Wire kinds stand in ORDER_CHANGES: a number on the wire is for ever, a class may be renamed.
"""

from typing import NamedTuple

from domain.order_row import Movement
from domain.orders import Pay, Phase, PlacedLine

BY_TIME = -1
"""`index` of a change that no command made."""


class StockAsk(NamedTuple):
    """A request about one hold: commit, release, extend (until_ms) or return (quantity, restock, reference)."""

    kind: str
    partition: int
    line: int
    until_ms: int = 0
    quantity: int = 0
    restock: bool = False
    reference: int = 0


class ReserveAsk(NamedTuple):
    """A request to hold all lines of one stock partition."""

    partition: int
    partial: bool
    until_ms: int
    customer: bytes
    fingerprint: bytes
    lines: tuple[PlacedLine, ...]


class PayAsk(NamedTuple):
    """A request to the payment, compensation or confirmation agent. Fields as in streams.order_events.AskBody."""

    kind: str
    attempt: int
    authorised: int = 0
    amount: int = 0
    currency: str = ""
    method: str = ""
    intent: str = ""
    key: bytes = b""
    asked_ms: int = 0
    deadline_ms: int = 0


class Asks(NamedTuple):
    """Everything that one change asks for."""

    stock: tuple[StockAsk, ...] = ()
    reserve: ReserveAsk | None = None
    pay: PayAsk | None = None


NO_ASKS = Asks()


class Begun(NamedTuple):
    """The static part of an order; a Stepped of the same order follows. The receipt is (partition, offset, position).

    `shipping` (sealed) stands here and in the order's first event only.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index
    order: bytes
    customer: bytes
    fingerprint: bytes
    offset: int
    position: int
    partial: bool
    lines: tuple[PlacedLine, ...]
    shipping: bytes


class Core(NamedTuple):
    """Where an order is. Fields as in domain.order_row.Order."""

    phase: Phase
    goal: Phase | None
    pay: Pay
    attempt: int
    deadline_ms: int
    amount: int
    authorised: int
    captured: int
    refunded: int
    asked_ms: int
    resume_ms: int
    tries: int
    reason: str


class Texts(NamedTuple):
    """Of these only what is new; None: as it was."""

    currency: str | None = None
    method: str | None = None
    next_method: str | None = None
    intent: str | None = None
    action: str | None = None


class Terms(NamedTuple):
    """What is new about one line besides its letter; fields as in domain.order_row.OrderLine."""

    line: int
    unit_price: int
    deadline_ms: int
    reason: int
    shipped: int
    delivered: int
    returned: int


class Stepped(NamedTuple):
    """One change of one order: `version` + 1.

    `before` = the public state before it, `passed` = those shown since, in order; `sequence` after the last of them.
    `cause` = name of the event (domain/order_events.py). `was`, `letters`: a state a line, before and after; the first
    of them is line `first_line`. `movement`: the one under way, if it is new; it is over when the phase is not
    RETURNING any more.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index
    order: bytes
    cause: str
    version: int
    before: str
    passed: tuple[str, ...]
    sequence: int
    core: Core
    first_line: int
    was: str
    letters: str
    texts: Texts | None
    terms: tuple[Terms, ...]
    movement: Movement | None
    asks: Asks


class Buried(NamedTuple):
    """A cancel came before its order: a stub that waits for it."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    order: bytes
    customer: bytes


class Resumed(NamedTuple):
    """What was not answered is asked for again; nothing else changes."""

    order: bytes
    version: int
    public: str
    resume_ms: int
    tries: int
    asks: Asks


class Noticed(NamedTuple):
    """Something to tell or to ask that changes no row. `kind`: requested, key-reused, orphan-closed."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    order: bytes
    kind: str
    cause: str
    version: int
    public: str
    asks: Asks
    pay: str = ""
    reason: str = ""
    attempt: int = 0
    intent: str = ""
    amount: int = 0


OrderChange = Begun | Stepped | Buried | Resumed | Noticed

ORDER_CHANGES: dict[int, type] = {1: Begun, 2: Stepped, 3: Buried, 4: Resumed, 5: Noticed}
