"""Rows of the order tables as a fold of order events: plain dictionaries in, dictionaries out, no IO.

The last event of a change says where the order is now, whole (money, deadline); texts and lines only where they are
new. Those before it say which states were passed; who the order is of stands in its first event.
"""

from base64 import b64decode
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from adapters.sql.payment_rows import pay
from streams.order_events import ROW_EVENTS, AskBody, Line, OrderEvent

Row = dict[str, Any]


class GapError(Exception):
    """An order's event before this one never came to these tables: run `turnstile sql rebuild`."""


class EventData(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an event's row keeps besides its columns; fields as in streams.order_events.OrderEvent."""

    cause: str = ""
    reason: str = ""
    compensating: bool = False
    goal: str = ""
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
    lines: list[Line] = []
    asks: list[AskBody] = []


class Tables(NamedTuple):
    """What is known of some orders, by primary key, and what is new since it was read."""

    orders: dict[str, Row]
    items: dict[tuple[str, int], Row]
    payments: dict[str, Row]
    events: list[Row]
    touched_items: set[tuple[str, int]]
    touched_payments: set[str]


_encode = msgspec.json.Encoder().encode


def known(orders: Iterable[Row], items: Iterable[Row], payments: Iterable[Row]) -> Tables:
    """From the rows of the database."""
    return Tables(
        {row["order_id"]: row for row in orders},
        {(row["order_id"], row["line"]): row for row in items},
        {row["payment_id"]: row for row in payments},
        [],
        set(),
        set(),
    )


def take(tables: Tables, event: OrderEvent) -> Row | None:
    """Fold one event; the order's row if the event moved it. GapError if one before it is missing.

    Events of a version below the row's are only listed: the row is newer (a replay without a cursor).
    """
    tables.events.append(_event_row(event))
    if event.kind not in ROW_EVENTS:
        return None
    row = tables.orders.get(event.order)
    version = row["version"] if row else 0
    if event.version > version + 1:
        message = f"order {event.order}: version {event.version} came after {version}; run `turnstile sql rebuild`"
        raise GapError(message)
    if event.version < version:
        return None
    if row is None:
        row = tables.orders[event.order] = _new_order(event)
    _pass(row, event)
    if event.pay:
        _arrive(row, event)
    for line in event.lines:
        _take_line(tables, row, line)
    if event.attempt:
        tables.touched_payments.add(pay(tables.payments, row, event))
    return row


def _new_order(event: OrderEvent) -> Row:
    return {
        "order_id": event.order,
        "user_id": "",
        "total_amount": 0,
        "currency": "",
        "shipping_address": None,
        "payment_method": "",
        "created_at": event.time_ms,
        "sequence": 0,
        "partition": event.partition,
        "compensating": False,
        "goal": "",
        "reason": "",
        "pay": "",
        "attempt": 0,
        "provider_id": "",
        "action": "",
        "captured": 0,
        "refunded": 0,
        "deadline_at": 0,
        "receipt": "",
        "partial": False,
    }


def _pass(row: Row, event: OrderEvent) -> None:
    """What any event of a change tells."""
    row["status"] = event.state
    row["version"] = event.version
    row["sequence"] = event.sequence or row["sequence"]
    row["updated_at"] = event.time_ms
    row["user_id"] = event.customer or row["user_id"]
    row["receipt"] = event.receipt or row["receipt"]
    row["partial"] = event.partial or row["partial"]
    row["shipping_address"] = b64decode(event.shipping) or row["shipping_address"]


def _arrive(row: Row, event: OrderEvent) -> None:
    """What only the last event of a change tells. Of an attempt that is over, no intent and no action stay."""
    is_same = event.attempt == row["attempt"]
    row["total_amount"] = event.amount
    row["currency"] = event.currency or row["currency"]
    row["payment_method"] = event.method or row["payment_method"]
    row["compensating"] = event.compensating
    row["goal"] = event.goal
    row["reason"] = event.reason
    row["action"] = event.action or (row["action"] if is_same and event.pay == row["pay"] else "")
    row["provider_id"] = event.intent or (row["provider_id"] if is_same else "")
    row["pay"] = event.pay
    row["attempt"] = event.attempt
    row["captured"] = event.captured
    row["refunded"] = event.refunded
    row["deadline_at"] = event.deadline_ms


def _take_line(tables: Tables, order: Row, line: Line) -> None:
    key = (order["order_id"], line.line)
    tables.touched_items.add(key)
    row = tables.items.get(key)
    if row is None:
        row = tables.items[key] = {
            "order_id": order["order_id"],
            "line": line.line,
            "product_id": line.sku,
            "quantity": line.quantity,
            "partition": line.partition,
            "unit_price": None,
            "subtotal": None,
            "currency": "",
            "reason": "",
            "deadline_at": 0,
            "shipped": 0,
            "delivered": 0,
            "returned": 0,
        }
    row["state"] = line.state
    if line.unit_price >= 0:
        row["unit_price"] = line.unit_price
        row["subtotal"] = line.unit_price * row["quantity"]
        row["currency"] = order["currency"]
    row["reason"] = line.reason or row["reason"]
    row["deadline_at"] = line.deadline_ms or row["deadline_at"]
    row["shipped"] = max(line.shipped, row["shipped"])
    row["delivered"] = max(line.delivered, row["delivered"])
    row["returned"] = max(line.returned, row["returned"])


def _event_row(event: OrderEvent) -> Row:
    data = EventData(
        event.cause, event.reason, event.compensating, event.goal, event.pay, event.attempt, event.method,
        event.intent, event.action, event.amount, event.currency, event.captured, event.refunded, event.deadline_ms,
        event.lines, event.asks,
    )  # fmt: skip
    return {
        "event_id": f"{event.partition}:{event.offset}:{event.index}",
        "order_id": event.order,
        "event_type": event.to.lower().replace("_", "-") if event.to else event.kind,
        "from_state": event.came_from or None,
        "to_state": event.to or None,
        "event_data": _encode(data).decode(),
        "created_at": event.time_ms,
        "sequence": event.sequence,
        "version": event.version,
        "ledger_offset": event.offset,
        "event_index": event.index,
    }
