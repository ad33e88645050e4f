"""order.events on the wire: one event a record, JSON, the CloudEvents 1.0 attributes as Kafka headers (binary mode).

Key = order id as text; partition = the order ledger's. An event is at (partition, offset, index): the ledger record it
was derived from and its place among that record's events. First occurrences ascend in each partition; an event that is
published again has the same place.
"""

from typing import Any

import msgspec


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


def encode(event: OrderEvent | Decided) -> bytes:
    """The record's value."""
    return msgspec.json.encode(event)


def decode(value: bytes) -> Any:
    """To be completed: OrderEvent or Decided by the ce_type header."""
    return msgspec.json.decode(value, type=OrderEvent)
