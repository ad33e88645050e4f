"""What a command means for an order: the names of the events that the order table is written in."""

from collections.abc import Mapping
from enum import StrEnum

from domain import orders
from domain.orders import Ask, OrderCommand
from domain.outcomes import REPEATED, Outcome
from domain.payment import Operation, PayOutcome


class Event(StrEnum):
    """`cause` of a change, as clients see it."""

    BORN = "born"
    PLACE = "placed"
    CANCEL = "cancel"
    DUE = "deadline"
    """Log time passed the order's deadline."""
    RESERVED = "reserved"
    COMMITTED = "committed"
    GONE = "commit-gone"
    RELEASED = "released"
    RETURNED = "returned"
    AUTHORISED = "authorised"
    ACTION_REQUIRED = "action-required"
    DECLINED = "declined"
    """Or cancelled by the provider."""
    VOIDED = "voided"
    VOID_LATE = "void-captured"
    """The answer to a void: captured already."""
    CAPTURED = "captured"
    CAPTURE_FAILED = "capture-failed"
    REFUNDED = "refunded"
    QUEUED = "queued"
    METHOD = "method"
    BOOKED = "booked"
    SHIP = "ship"
    DELIVER = "deliver"
    TAKE_BACK = "return"
    REFUND = "refund"
    SETTLE = "settle"
    HINT = "hint"
    ORPHAN_CLOSED = "orphan-closed"


_PLAIN: Mapping[type, Event] = {
    orders.Born: Event.BORN,
    orders.Place: Event.PLACE,
    orders.Cancel: Event.CANCEL,
    orders.Reserved: Event.RESERVED,
    orders.Queued: Event.QUEUED,
    orders.Method: Event.METHOD,
    orders.Booked: Event.BOOKED,
    orders.Ship: Event.SHIP,
    orders.Deliver: Event.DELIVER,
    orders.TakeBack: Event.TAKE_BACK,
    orders.Refund: Event.REFUND,
    orders.Settle: Event.SETTLE,
    orders.Hint: Event.HINT,
    orders.OrphanClosed: Event.ORPHAN_CLOSED,
}
_PAY: Mapping[tuple[str, str], Event] = {
    (Operation.AUTHORISE, PayOutcome.AUTHORISED): Event.AUTHORISED,
    (Operation.AUTHORISE, PayOutcome.ACTION_REQUIRED): Event.ACTION_REQUIRED,
    (Operation.AUTHORISE, PayOutcome.DECLINED): Event.DECLINED,
    (Operation.AUTHORISE, PayOutcome.CANCELLED): Event.DECLINED,
    (Operation.CAPTURE, PayOutcome.CAPTURED): Event.CAPTURED,
    (Operation.CAPTURE, PayOutcome.FAILED): Event.CAPTURE_FAILED,
    (Operation.CAPTURE, PayOutcome.CANCELLED): Event.CAPTURE_FAILED,
    (Operation.VOID, PayOutcome.VOIDED): Event.VOIDED,
    (Operation.VOID, PayOutcome.CANCELLED): Event.VOIDED,
    (Operation.VOID, PayOutcome.CAPTURED): Event.VOID_LATE,
    (Operation.REFUND, PayOutcome.REFUNDED): Event.REFUNDED,
}
_LINE: Mapping[tuple[str, int], Event] = {
    (Ask.COMMIT, int(Outcome.COMMITTED)): Event.COMMITTED,
    (Ask.RELEASE, int(Outcome.RELEASED)): Event.RELEASED,
}
_OTHERWISE: Mapping[str, Event] = {Ask.COMMIT: Event.GONE, Ask.RETURN: Event.RETURNED}
"""Any other answer of stock that is one."""
_NO_ANSWER = frozenset({int(Outcome.FAULT), int(Outcome.BUSY)})
"""Stock decided nothing: it is asked again."""


def event_of(command: OrderCommand) -> Event | None:
    """None: an answer that says nothing to an order."""
    if isinstance(command, orders.PayAnswered):
        return _PAY.get((command.operation, command.outcome))
    if isinstance(command, orders.LineAnswered):
        outcome = command.outcome & ~REPEATED
        if outcome in _NO_ANSWER:
            return None
        return _LINE.get((command.asked, outcome)) or _OTHERWISE.get(command.asked)
    return _PLAIN[type(command)]
