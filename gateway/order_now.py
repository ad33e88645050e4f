"""An order as it is known now: folded from its events, or read from SQL, or the one on top of the other."""

from sys import intern
from typing import NamedTuple

import msgspec

from domain.orders import LineState, Pay, Public
from streams.order_events import CHANGED, Line, OrderEvent

FINAL = frozenset({Public.REJECTED, Public.EXPIRED, Public.CANCELLED, Public.REFUNDED})
"""States after which nothing comes."""
LINE_STATES = {state.value: state.name.lower() for state in LineState}
PAY_STATES = {pay.value: pay.name.lower() for pay in Pay}


_UNTOLD: dict[str, object] = {"unit_price": -1, "currency": "", "deadline_ms": 0, "reason": "", "shipped": 0,
                              "delivered": 0, "returned": 0}  # fmt: skip
"""What may change about a line, and how it stands in an event that does not tell it."""


class Transition(NamedTuple):
    """A change of the public state. `deadline_ms`: the order's, from then on (0 = none)."""

    sequence: int
    came_from: str
    to: str
    time_ms: int
    reason: str
    cause: str
    compensating: bool
    deadline_ms: int


class OrderNow(msgspec.Struct, gc=False):
    """Scalars as in streams.order_events.OrderEvent; `customer`: hash as hex.

    `since`: the version from which on its lines and history are known (0 = all of it). `created_ms`: of its first
    event, -1 if that was not seen. `is_told`: of several states passed at once, the last event is here too.
    """

    order: str
    since: int
    version: int
    state: str
    sequence: int
    compensating: bool
    goal: str
    reason: str
    pay: str
    attempt: int
    intent: str
    action: str
    amount: int
    currency: str
    captured: int
    refunded: int
    deadline_ms: int
    partial: bool
    updated_ms: int
    customer: str = ""
    receipt: str = ""
    created_ms: int = -1
    is_told: bool = True
    lines: dict[int, Line] = {}
    history: list[Transition] = []

    @property
    def tag(self) -> str:
        """Equal tags, equal content: events of one version may be seen one after another."""
        return f"{self.version}.{self.sequence}"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in FINAL

    def reached(self, state: str) -> Transition | None:
        """When it first came to a public state; None if it has not."""
        return next((one for one in self.history if one.to == state), None)


def begin(event: OrderEvent) -> OrderNow:
    """What one event tells of an order of which nothing was known."""
    is_first = event.kind == CHANGED and event.sequence == 1
    now = OrderNow(
        order=event.order,
        since=0 if is_first else event.version,
        version=0,
        state="",
        sequence=0,
        compensating=False,
        goal="",
        reason="",
        pay="",
        attempt=0,
        intent="",
        action="",
        amount=0,
        currency="",
        captured=0,
        refunded=0,
        deadline_ms=0,
        partial=event.partial,
        updated_ms=0,
        created_ms=event.time_ms if is_first else -1,
        lines={},
        history=[],
    )
    follow(now, event)
    return now


def follow(now: OrderNow, event: OrderEvent) -> None:
    """The order after one more of its events. Texts that are not told stay, and what is not told of a line.

    Of several states passed at once, only the last one's event tells more than the state: it says where the money is.
    """
    now.version = event.version
    now.state = intern(event.state)
    now.updated_ms = event.time_ms
    now.partial = event.partial or now.partial
    now.customer = event.customer or now.customer
    now.receipt = event.receipt or now.receipt
    for line in event.lines:
        now.lines[line.line] = _over(now.lines.get(line.line), line)
    if event.kind == CHANGED:
        now.sequence = event.sequence
        now.history.append(transition_of(event))
    now.is_told = bool(event.pay)
    if now.is_told:
        _tell(now, event)


def _tell(now: OrderNow, event: OrderEvent) -> None:
    now.compensating = event.compensating
    now.goal = intern(event.goal)
    now.reason = intern(event.reason)
    now.pay = intern(event.pay)
    is_same = event.attempt == now.attempt
    now.intent = event.intent or (now.intent if is_same else "")
    now.action = event.action or (now.action if is_same else "")
    now.attempt = event.attempt
    now.amount = event.amount
    now.currency = event.currency or now.currency
    now.captured = event.captured
    now.refunded = event.refunded
    now.deadline_ms = event.deadline_ms


def _over(before: Line | None, after: Line) -> Line:
    """A line as it was, with what was told of it since."""
    if before is None:
        return after
    news = {name: value for name, untold in _UNTOLD.items() if (value := getattr(after, name)) != untold}
    return msgspec.structs.replace(before, state=after.state, **news)


def transition_of(event: OrderEvent) -> Transition:
    """Of an event `changed`."""
    return Transition(
        event.sequence,
        intern(event.came_from),
        intern(event.to),
        event.time_ms,
        intern(event.reason),
        intern(event.cause),
        event.compensating,
        event.deadline_ms,
    )


def joined(base: OrderNow | None, tail: OrderNow | None) -> OrderNow | None:
    """What is known of an order from SQL (`base`) and from later events (`tail`): the higher version.

    None if nothing is, or if events between the two are missing.
    """
    if tail is None or (base is not None and base.version >= tail.version and base.sequence >= tail.sequence):
        return base
    if not tail.since:
        return tail
    if base is None or base.version < tail.since - 1:
        return None
    is_same = base.attempt == tail.attempt
    return msgspec.structs.replace(
        tail,
        since=0,
        intent=tail.intent or (base.intent if is_same else ""),
        action=tail.action or (base.action if is_same else ""),
        currency=base.currency or tail.currency,
        partial=base.partial,
        customer=base.customer,
        receipt=base.receipt,
        created_ms=base.created_ms,
        sequence=max(base.sequence, tail.sequence),
        lines={number: _over(base.lines.get(number), line) for number, line in (base.lines | tail.lines).items()},
        history=[*base.history, *(one for one in tail.history if one.sequence > base.sequence)],
    )
