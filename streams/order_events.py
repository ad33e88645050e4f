"""order.events on the wire: one event a record, JSON, the CloudEvents 1.0 attributes as Kafka headers (binary mode).

Key = order id as text; partition = the order ledger's. An event is at (partition, offset, index): the ledger record it
was derived from and its place among that record's events. First occurrences ascend in each partition; an event that is
published again has the same place.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec

from domain.orders import Public
from streams.records import UndecodableError


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A line as far as it is known. `state`: a letter of domain.orders.LineState. Price and currency once granted."""

    line: int
    sku: str
    partition: int
    quantity: int
    state: str
    unit_price: int = -1
    currency: str = ""
    deadline_ms: int = 0
    reason: str = ""
    shipped: int = 0
    delivered: int = 0
    returned: int = 0


class ReserveLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One line of a reserve request."""

    line: int
    sku: str
    quantity: int
    max_price: int = -1


class AskBody(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A request to an agent; which fields are set follows from `kind` (domain.orders.Ask).

    To stock (`partition`): reserve (lines, partial, until_ms = the order's deadline, customer, fingerprint as hex);
    commit, release (line); extend (line, until_ms); return (line, quantity, restock, reference).
    To payment and compensation (`attempt`, `authorised` = amount of the attempt's intent, currency, method, intent if
    known, `request` = version of the request's shape, `asked_ms` = log time of the first asking, `deadline_ms`):
    authorise; capture (`amount` <= authorised); look; void; refund (`amount`, `key` "" for the whole); orphan.
    To confirmation: confirm (`amount` captured).
    """

    kind: str
    partition: int = -1
    line: int = -1
    lines: list[ReserveLine] = []
    partial: bool = False
    customer: str = ""
    fingerprint: str = ""
    until_ms: int = 0
    quantity: int = 0
    restock: bool = False
    reference: int = 0
    attempt: int = 0
    authorised: int = 0
    amount: int = 0
    currency: str = ""
    method: str = ""
    intent: str = ""
    key: str = ""
    request: int = 1
    asked_ms: int = 0
    deadline_ms: int = 0


class OrderEvent(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename={"came_from": "from"}):
    """One event of one order.

    Of one ledger change come: a `changed` event for each public state that was passed, in order, or else one
    `progressed`; requests stand in the last of them, or, when they are made again, in an event `requested`.

    kind: changed (`came_from` -> `to`, `sequence` = number of this transition in the order's life, from 1), progressed
    (no public transition), requested (nothing changed), key-reused (somebody used the key for other content; nothing
    changed), orphan-closed. `version` +1 a change of the row. `state` = public state after it. `lines` are complete in
    an order's first event and hold only changed lines later. `answer` to `cause` where a client's wish was decided.
    """

    kind: str
    order: str
    partition: int
    offset: int
    index: int
    time_ms: int
    version: int
    state: str
    sequence: int = 0
    came_from: str = ""
    to: str = ""
    cause: str = ""
    reason: str = ""
    compensating: bool = False
    goal: str = ""
    customer: str = ""
    pay: str = ""
    attempt: int = 0
    method: str = ""
    intent: str = ""
    action: str = ""
    amount: int = 0
    currency: str = ""
    captured: int = 0
    refunded: int = 0
    deadline_ms: int = 0
    receipt: str = ""
    partial: bool = False
    shipping: str = ""
    lines: list[Line] = []
    asks: list[AskBody] = []


class Decided(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What became of a batch of a gateway (customers' and operators' wishes): outcome codes by index in the batch.

    Its own kind of record on order.events (key = the sender), so that a gateway finds its answers.
    """

    sender: str
    number: int
    partition: int
    offset: int
    src: int
    time_ms: int
    outcomes: list[int]


Headers = list[tuple[str, bytes]]


class EventType(NamedTuple):
    """A row of the catalogue: ce_type, and what it tells. `fixed`: the fields that say so in the record's value."""

    name: str
    meaning: str
    fixed: dict[str, str]


CHANGED = "changed"
PROGRESSED = "progressed"
REQUESTED = "requested"
ROW_EVENTS = frozenset({CHANGED, PROGRESSED})
"""Kinds of events that move an order's row; the others only tell or ask something."""
_REACHED = {
    Public.CREATED: "An order of several lines was taken; nothing is reserved yet",
    Public.RESERVED: "Its lines are held for the customer until the deadline",
    Public.PAYMENT_PENDING: "Its money is being authorised, and captured once every line is sold",
    Public.PAID: "Its money was captured",
    Public.CONFIRMED: "It stands in the system of record",
    Public.SHIPPED: "All of it left the house",
    Public.DELIVERED: "All of it arrived",
    Public.REJECTED: "It came to nothing: stock refused it",
    Public.EXPIRED: "Its time was over before it was paid",
    Public.CANCELLED: "It was let go before it was shipped, or no payment came through; nothing was charged",
    Public.REFUND_PENDING: "Money is on its way back",
    Public.REFUNDED: "All of its money went back",
}
_OTHERS = {
    PROGRESSED: "Something happened to it, and its public state is the same",
    REQUESTED: "Nothing changed; it asks for something, or asks again",
    "key-reused": "Somebody used its key for other content; nothing changed",
    "orphan-closed": "Money without a living order was voided or refunded",
}
DECIDED_TYPE = "turnstile.commands.decided.v1"


def _type_of(kind: str, to: str) -> str:
    return f"turnstile.order.{(to if kind == CHANGED else kind).lower().replace('_', '-')}.v1"


EVENT_TYPES = (
    *(EventType(_type_of(CHANGED, to), meaning, {"kind": CHANGED, "to": to}) for to, meaning in _REACHED.items()),
    *(EventType(_type_of(kind, ""), meaning, {"kind": kind}) for kind, meaning in _OTHERS.items()),
    EventType(DECIDED_TYPE, "What became of a batch of customers' or operators' wishes, for its sender", {}),
)
"""What a record of order.events can be."""


class EventRecord(NamedTuple):
    """A record of order.events, to be sent to the ledger's own partition."""

    key: bytes
    value: bytes
    headers: Headers


_CONTENT = [("ce_specversion", b"1.0"), ("content-type", b"application/json")]
_encode = msgspec.json.Encoder().encode
_decode_event = msgspec.json.Decoder(OrderEvent).decode
_decode_answers = msgspec.json.Decoder(Decided).decode


def source_of(namespace: str) -> str:
    """The ce_source of a log's events."""
    return f"/turnstile/{namespace or 'default'}/order.ledger"


def encode(event: OrderEvent | Decided, source: str) -> EventRecord:
    """One event as one record."""
    if isinstance(event, Decided):
        kind, subject, place = DECIDED_TYPE, event.sender, "decided"
    else:
        kind, subject, place = _type_of(event.kind, event.to), event.order, str(event.index)
    key = subject.encode()
    headers = [
        *_CONTENT,
        ("ce_id", f"{event.partition}:{event.offset}:{place}".encode()),
        ("ce_source", source.encode()),
        ("ce_type", kind.encode()),
        ("ce_time", _rfc3339(event.time_ms)),
        ("ce_subject", key),
    ]
    return EventRecord(key, _encode(event), headers)


def decode(headers: Iterable[tuple[str, bytes]], value: bytes) -> OrderEvent | Decided:
    """A record of order.events. UndecodableError if it is none; a type that is newer than this code is an event."""
    try:
        answers = dict(headers).get("ce_type") == DECIDED_TYPE.encode()
        return _decode_answers(value) if answers else _decode_event(value)
    except ValueError as error:  # msgspec.MsgspecError is one, the UnicodeDecodeError of a text another
        raise UndecodableError(str(error)) from error


@lru_cache(16)
def _rfc3339(time_ms: int) -> bytes:
    """All events of a record have one time."""
    when = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03}Z".encode()
