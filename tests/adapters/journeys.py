"""Lives of orders as the events that the order ledger tells of them, made by hand."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator

from domain.ids import order_id, order_text
from streams.order_events import AskBody, Line, OrderEvent

TIME_MS = 1_800_000_000_000
PRICE = 1_250
DONE = (("pay", "H"), ("pay", "C"), ("PAID", "K"), ("CONFIRMED", "K"))
SHIPPED = (*DONE, ("SHIPPED", "K"), ("DELIVERED", "K"))
RETURNED = (*SHIPPED, ("REFUND_PENDING", "R"), ("REFUNDED", "F"))
DECLINED = (("pay", "W"), ("pay", "V"), ("CANCELLED", "X"))
EXPIRED = (("EXPIRED", "X"),)
PATHS = {"done": DONE, "shipped": SHIPPED, "returned": RETURNED, "declined": DECLINED, "expired": EXPIRED}
_LETTERS = {"H": "c", "C": "s", "K": "s", "R": "t", "F": "u", "W": "h", "V": "r", "X": "x"}


def order_of(number: int, home: int = 0) -> str:
    return order_text(order_id(b"key", "customer", str(number), home))


def customer_of(number: int) -> str:
    return hashlib.blake2b(b"customer" + number.to_bytes(8), digest_size=8).hexdigest()


def journey(
    number: int,
    path: str = "done",
    *,
    partition: int = 0,
    first: int = 1,
    step: int = 1,
    customer: str = "",
    sealed: bytes = b"",
    sku: str = "sku",
    quantity: int = 2,
) -> Iterator[OrderEvent]:
    """All events of order `number`, its changes at ledger offsets `first`, `first + step`, ..."""
    order, amount = order_of(number, partition), PRICE * quantity

    def event(change: int, index: int, state: str, **fields) -> OrderEvent:
        offset = first + change * step
        time_ms = TIME_MS + offset
        return OrderEvent(
            order=order, partition=partition, offset=offset, index=index, time_ms=time_ms, version=change + 1,
            state=state, **{"kind": "changed", **fields},
        )  # fmt: skip

    line = Line(0, sku, partition, quantity, "h", PRICE, "EUR", TIME_MS + 300_000)
    who = {
        "customer": customer or customer_of(number), "receipt": f"{partition}:{first}:0", "lines": [line],
        "shipping": b64encode(sealed).decode(), "cause": "born",
    }  # fmt: skip
    where = {
        "pay": "A", "attempt": 1, "method": "pm_card_visa", "amount": amount, "currency": "EUR",
        "deadline_ms": TIME_MS + 280_000, "cause": "born", "lines": [line],
        "asks": [AskBody("authorise", attempt=1, authorised=amount, currency="EUR")],
    }  # fmt: skip
    yield event(0, 0, "CREATED", to="CREATED", sequence=1, **who)
    yield event(0, 1, "RESERVED", came_from="CREATED", to="RESERVED", sequence=2, cause="born")
    yield event(0, 2, "PAYMENT_PENDING", came_from="RESERVED", to="PAYMENT_PENDING", sequence=3, **where)
    before = "PAYMENT_PENDING"
    sequence = 3
    for change, (to, pay) in enumerate(PATHS[path], 1):
        captured = amount if pay in "KRF" else 0
        fields = {
            "pay": pay, "attempt": 1, "captured": captured, "refunded": amount if pay == "F" else 0,
            "lines": [Line(0, "", -1, 0, _LETTERS[pay])], "cause": to.lower(), "amount": amount,
            "intent": f"pi_{number}" if pay == "H" else "",
        }  # fmt: skip
        if to == "PAID":
            fields["asks"] = [AskBody("confirm", amount=amount)]
        if to == "pay":
            yield event(change, 0, before, kind="progressed", **fields)
        else:
            sequence += 1
            yield event(change, 0, to, came_from=before, to=to, sequence=sequence, **fields)
            before = to


def interleaved(paths: list[str], *, partition: int = 0, sealed: bytes = b"") -> list[OrderEvent]:
    """One order a path, numbered from 0, their changes taking turns in the ledger."""
    step = len(paths)
    events = [
        event
        for number, path in enumerate(paths)
        for event in journey(number, path, partition=partition, first=1 + number, step=step, sealed=sealed)
    ]
    return sorted(events, key=lambda event: (event.offset, event.index))
