"""An order as clients see it. Of order_schemas.OrderState; money in minor units, times as RFC 3339."""

from typing import Any

from domain.orders import BORN_LINE, Pay, Public
from domain.outcomes import Outcome
from domain.reservation import RowState
from gateway.order_now import LINE_STATES, PAY_STATES, OrderNow, Transition
from gateway.times import rfc3339
from gateway.view import Known, Order, Rejected
from streams.order_events import Line

_OF_STOCK = {
    RowState.HELD: Public.RESERVED,
    RowState.SOLD: Public.RESERVED,
    RowState.EXPIRED: Public.EXPIRED,
    RowState.RELEASED: Public.CANCELLED,
    RowState.RETURNED: Public.RESERVED,
}
"""What a hold says of an order that has no event yet, never more than that it is reserved. One that ended before its
order was born has none."""


def body_of(now: OrderNow, *, history: bool = True, ops: bool = False) -> dict[str, Any]:
    """Everything about an order; in lists without its history. Who has scope ops sees the provider's id, too."""
    body: dict[str, Any] = {
        "order_id": now.order,
        "status": now.state,
        "version": now.version,
        "lines": [_line(now.lines[number]) for number in sorted(now.lines)],
        "partial": now.partial,
        "amount": now.amount,
        "payment": {
            "state": PAY_STATES.get(now.pay, now.pay),
            "attempt": now.attempt,
            "captured": now.captured,
            "refunded": now.refunded,
            **({"action": now.action} if now.action and now.pay == Pay.AUTHORISING else {}),
            **({"intent": now.intent} if now.intent and ops else {}),
        },
        "compensating": now.compensating,
        "created_at": rfc3339(now.created_ms),
        "updated_at": rfc3339(now.updated_ms),
    }
    for name in ("currency", "receipt", "goal", "reason"):
        if getattr(now, name):
            body[name] = getattr(now, name)
    if now.deadline_ms:
        body["expires_at"] = rfc3339(now.deadline_ms)
    if history:
        body["history"] = [transition_body(one) for one in now.history]
    return body


def transition_body(one: Transition) -> dict[str, Any]:
    """One change of the public state."""
    body: dict[str, Any] = {"sequence": one.sequence, "to": one.to, "time": rfc3339(one.time_ms)}
    if one.came_from:
        body["from"] = one.came_from
    if one.reason:
        body["reason"] = one.reason
    if one.compensating:
        body["compensating"] = True
    return body


def body_of_hold(text: str, known: Known) -> dict[str, Any]:
    """What stock alone says of an order that has no event yet, or never gets one."""
    body: dict[str, Any] = {"order_id": text, "status": Public.CREATED, "version": 0}
    if isinstance(known, Order):
        grant = known.grant
        line = Line(BORN_LINE, grant.sku, known.partition, grant.quantity, "h", grant.unit_price, grant.currency)
        return body | {
            "status": _OF_STOCK[RowState(known.state)],
            "receipt": str(known.receipt),
            "lines": [_line(line)],
            "amount": grant.quantity * grant.unit_price,
            "currency": grant.currency,
            "expires_at": rfc3339(known.deadline_ms),
        }
    if isinstance(known, Rejected):
        reason = Outcome(known.outcome).label
        return body | {"status": Public.REJECTED, "receipt": str(known.receipt), "reason": reason}
    return body


def reserved_body(now: OrderNow) -> dict[str, Any]:
    """The answer to an order of several lines that came to be reserved: what its first decision made of it."""
    held = [line for _, line in sorted(now.lines.items()) if line.unit_price >= 0]
    reserved = now.reached(Public.RESERVED)
    since = reserved.sequence if reserved else 0
    return {
        "order_id": now.order,
        "status": Public.RESERVED,
        "receipt": now.receipt,
        "lines": [_terms(line) for line in held],
        "amount": sum(line.quantity * line.unit_price for line in held),
        "currency": now.currency,
        "expires_at": rfc3339(
            next((one.deadline_ms for one in now.history if one.sequence >= since and one.deadline_ms), 0)
        ),
    }


def _terms(line: Line) -> dict[str, Any]:
    return {"line": line.line, "sku": line.sku, "quantity": line.quantity, "unit_price": line.unit_price}


def _line(line: Line) -> dict[str, Any]:
    body: dict[str, Any] = {
        "line": line.line,
        "sku": line.sku,
        "quantity": line.quantity,
        "state": LINE_STATES.get(line.state, line.state),
    }
    if line.unit_price >= 0:
        body["unit_price"] = line.unit_price
    if line.reason:
        body["reason"] = line.reason
    for name in ("shipped", "delivered", "returned"):
        if getattr(line, name):
            body[name] = getattr(line, name)
    return body
