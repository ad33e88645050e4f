"""The vocabulary of the order fold: the states of an order, its commands, and what it asks of others. Plain tuples.

Shapes: `order` = 16 bytes, `customer` and `fingerprint` = 8 bytes, `key` = 8 bytes that name one wish of a client (its
repeats have the same), money in integer minor units, times in integer milliseconds UTC of log time. `line` = number of
a line: an order that is born of its grant has the one line 0, a placed one has lines 1..20, so a hold's id tells which
it belongs to. Wire kinds stand in COMMANDS: a number on the wire is for ever, a class may be renamed.
"""

from enum import StrEnum
from typing import NamedTuple

LINES_MAX = 20
ALL_LINES = -1
"""In Ship, Deliver and TakeBack: everything that is left."""
BORN_LINE = 0


class Phase(StrEnum):
    """Where an order is, for the fold. What a client sees is Public."""

    EARLY = "early"
    """Cancelled before anything else was heard of it: a tombstone."""
    CREATED = "created"
    PENDING = "pending"
    PAID = "paid"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNING = "returning"
    UNDO = "undo"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


class Public(StrEnum):
    """The states that the world sees (C3). None comes before one that was shown already."""

    CREATED = "CREATED"
    RESERVED = "RESERVED"
    PAYMENT_PENDING = "PAYMENT_PENDING"
    PAID = "PAID"
    CONFIRMED = "CONFIRMED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    REFUND_PENDING = "REFUND_PENDING"
    REFUNDED = "REFUNDED"


SETTLED = frozenset(
    {
        Public.CONFIRMED,
        Public.SHIPPED,
        Public.DELIVERED,
        Public.REJECTED,
        Public.EXPIRED,
        Public.CANCELLED,
        Public.REFUNDED,
    }
)
"""A customer need not wait any longer: what comes after one of these comes of a new wish."""


class Pay(StrEnum):
    """Where the money of the current attempt is. `asked` = an agent was asked and has not answered yet."""

    NONE = "N"
    AUTHORISING = "A"
    ABANDONING = "W"
    """Void of a failed attempt asked."""
    AUTHORISED = "H"
    CAPTURING = "C"
    CAPTURED = "K"
    VOIDING = "V"
    CLOSED = "X"
    """Nothing is authorised and nothing was captured."""
    REFUNDING = "R"
    REFUNDED = "F"


class LineState(StrEnum):
    """Where the hold of one line is."""

    WAITING = "w"
    """Its partition's turn has not come: nothing was asked of stock yet."""
    RESERVING = "a"
    HELD = "h"
    COMMITTING = "c"
    SOLD = "s"
    RELEASING = "r"
    CLOSED = "x"
    RETURNING = "t"
    RETURNED = "u"


# --- commands ---------------------------------------------------------------------------------------------------


class Born(NamedTuple):
    """A single line's hold was granted in stock (relay). `deadline_ms` is the hold's, (offset, position) its receipt.

    `method` = payment method id, "" if none was given; `shipping` = sealed, opaque.
    """

    order: bytes
    sku: str
    customer: bytes
    quantity: int
    unit_price: int
    currency: str
    deadline_ms: int
    fingerprint: bytes
    offset: int
    position: int
    method: str
    shipping: bytes


class PlacedLine(NamedTuple):
    """One line of a Place. `partition` = the SKU's stock partition."""

    line: int
    sku: str
    partition: int
    quantity: int
    max_price: int = -1


class Place(NamedTuple):
    """An order of several lines (gateway). Lines are merged and sorted by SKU, numbered from 1. Late = TOO_LATE."""

    order: bytes
    customer: bytes
    fingerprint: bytes
    partial: bool
    not_after_ms: int
    lines: tuple[PlacedLine, ...]
    method: str
    shipping: bytes


class GrantedLine(NamedTuple):
    """What stock granted of a Place."""

    line: int
    unit_price: int
    currency: str
    deadline_ms: int


class Reserved(NamedTuple):
    """Stock's answer to the ReserveAll of one partition (relay). `outcome`: the command's code.

    Lines of that partition that are not in `granted` were refused; `refused` says why where stock said it per line.
    """

    order: bytes
    partition: int
    outcome: int
    granted: tuple[GrantedLine, ...]
    refused: tuple[tuple[int, int], ...]


class LineAnswered(NamedTuple):
    """Stock's answer to a Commit, Release, Extend or Return (relay). `asked`: kind of Ask; `reference`: of a Return."""

    order: bytes
    line: int
    asked: str
    outcome: int
    reference: int = 0


class PayAnswered(NamedTuple):
    """What became of a payment operation (payment, compensation agents). `amount`: authorised, captured or refunded.

    `operation` and `outcome` as in domain/payment.py; `intent` = the provider's id ("" if none was made); `key` names
    the refund; `reason` = a decline code; `action` = where the customer has to act (3-D Secure).
    """

    order: bytes
    attempt: int
    operation: str
    outcome: str
    intent: str
    amount: int
    key: str = ""
    reason: str = ""
    action: str = ""


class Queued(NamedTuple):
    """The attempt waits in a payment agent's queue until about `until_ms` (log time): keep its holds alive."""

    order: bytes
    attempt: int
    until_ms: int


class Method(NamedTuple):
    """A payment method for the order (gateway): the first one, or another one for the next attempt on the same hold."""

    order: bytes
    customer: bytes
    method: str


class Cancel(NamedTuple):
    """Let the order go, as far as it has not been shipped (gateway, ops). `customer` b"" from ops."""

    order: bytes
    key: bytes
    customer: bytes


class Booked(NamedTuple):
    """The order is in the system of record as of `version` (confirmation)."""

    order: bytes
    version: int


class Ship(NamedTuple):
    """Units left the house (ops). `line` ALL_LINES and quantity 0: everything that is left."""

    order: bytes
    line: int
    quantity: int


class Deliver(NamedTuple):
    """Units arrived (ops); as Ship."""

    order: bytes
    line: int
    quantity: int


class TakeBack(NamedTuple):
    """Sold units come back and are refunded (ops). `key` is unique per order; `restock` or write off.

    `line` ALL_LINES and quantity 0: everything that is left.
    """

    order: bytes
    key: bytes
    line: int
    quantity: int
    restock: bool


class Refund(NamedTuple):
    """Money back without goods (ops). `key` is unique per order."""

    order: bytes
    key: bytes
    amount: int
    reason: str


class Settle(NamedTuple):
    """An operator found out at the provider what became of an unanswered request (ops).

    `outcome`: voided, captured or refunded. `reference`: where it can be looked up.
    """

    order: bytes
    operator: str
    reference: str
    outcome: str


class Hint(NamedTuple):
    """The provider says that something happened to an intent (gateway, from a webhook). Never believed: looked up."""

    order: bytes
    attempt: int
    intent: str
    event: str
    kind: str


class OrphanClosed(NamedTuple):
    """Money without a living order was voided or refunded (compensation agent). `outcome`: voided, refunded."""

    order: bytes
    attempt: int
    intent: str
    outcome: str
    amount: int


OrderCommand = (
    Born | Place | Reserved | LineAnswered | PayAnswered | Queued | Method | Cancel | Booked | Ship | Deliver | TakeBack
    | Refund | Settle | Hint | OrphanClosed
)  # fmt: skip

COMMANDS: dict[int, type] = {
    1: Born,
    2: Place,
    3: Reserved,
    4: LineAnswered,
    5: PayAnswered,
    6: Queued,
    7: Method,
    8: Cancel,
    9: Booked,
    10: Ship,
    11: Deliver,
    12: TakeBack,
    13: Refund,
    14: Settle,
    15: Hint,
    16: OrphanClosed,
}

# --- what an order asks of others -------------------------------------------------------------------------------


class Ask(StrEnum):
    """Kinds of requests to stock (relay), to payment, to compensation, to confirmation."""

    RESERVE = "reserve"
    COMMIT = "commit"
    RELEASE = "release"
    EXTEND = "extend"
    RETURN = "return"
    AUTHORISE = "authorise"
    CAPTURE = "capture"
    LOOK = "look"
    """A hint came: retrieve the intent, and answer with what is found."""
    VOID = "void"
    REFUND = "refund"
    ORPHAN = "orphan"
    """Money was hinted at for an order that is final or unknown: close it if it is alive."""
    CONFIRM = "confirm"


TO_STOCK = frozenset({Ask.RESERVE, Ask.COMMIT, Ask.RELEASE, Ask.EXTEND, Ask.RETURN})
TO_PAYMENT = frozenset({Ask.AUTHORISE, Ask.CAPTURE, Ask.LOOK})
TO_COMPENSATION = frozenset({Ask.VOID, Ask.REFUND, Ask.ORPHAN})
TO_CONFIRMATION = frozenset({Ask.CONFIRM})
