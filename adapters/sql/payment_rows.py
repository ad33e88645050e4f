"""The payments table as a fold of order events: one row an attempt, its status from the order's money."""

from typing import Any

from domain.orders import Ask, Pay
from domain.payment import Operation, provider_key
from streams.order_events import OrderEvent

Row = dict[str, Any]
PENDING = "pending"
COMPLETED = "completed"
FAILED = "failed"
REFUNDED = "refunded"
_STATUS = {
    Pay.NONE: FAILED,  # of an attempt: it is over, and there is no other yet
    Pay.ABANDONING: FAILED,
    Pay.CAPTURED: COMPLETED,
    Pay.CLOSED: FAILED,
    Pay.REFUNDING: COMPLETED,
    Pay.REFUNDED: REFUNDED,
}
"""Of the others: pending."""


def pay(payments: dict[str, Row], order: Row, event: OrderEvent) -> str:
    """What the event says of its attempt's payment; the payment's id. `order`: the row after the event."""
    payment_id = f"{event.order}:{event.attempt}"
    row = payments.get(payment_id)
    if row is None:
        row = payments[payment_id] = {
            "payment_id": payment_id,
            "order_id": event.order,
            "attempt": event.attempt,
            "idempotency_key": provider_key(event.order, event.attempt, Operation.AUTHORISE),
            "amount": order["total_amount"],
            "created_at": event.time_ms,
            "completed_at": None,
        }
    for ask in event.asks:
        if ask.kind == Ask.AUTHORISE:
            row["amount"] = ask.authorised
    before = row.get("status", PENDING)
    status = _STATUS.get(Pay(event.pay), PENDING) if event.pay else PENDING
    if event.captured and event.refunded >= event.captured:
        status = REFUNDED
    row["status"] = status
    row["currency"] = order["currency"]
    row["provider_id"] = order["provider_id"]
    row["captured"] = event.captured
    row["refunded"] = event.refunded
    if status != PENDING and before == PENDING:
        row["completed_at"] = event.time_ms
    return payment_id
