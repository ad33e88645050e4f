"""The shape of each order command: what is not of it is MALFORMED, whoever sends it. As domain/shapes.py for stock.

Every check gets the command, the sender's role and the latest `not_after_ms` that may be asked for.
"""

from collections.abc import Callable
from typing import Any

from domain.ids import CUSTOMER_BYTES, FINGERPRINT_BYTES, ORDER_ID_BYTES
from domain.order_starting import AMOUNT_MAX
from domain.orders import (
    ALL_LINES,
    LINES_MAX,
    Booked,
    Born,
    Cancel,
    Deliver,
    Hint,
    LineAnswered,
    Method,
    OrphanClosed,
    PayAnswered,
    Place,
    Queued,
    Refund,
    Reserved,
    Settle,
    Ship,
    TakeBack,
)
from domain.roles import Role
from domain.shapes import CARRIED_BYTES_MAX, CURRENCY_LETTERS, NUMBER_MAX, PRICE_MAX, QUANTITY_MAX, SKU_MAX, TIME_MAX

KEY_BYTES = 8
METHOD_MAX = 64
INTENT_MAX = 64
REASON_MAX = 64
ACTION_MAX = 1_024
"""Where a customer has to go for 3-D Secure: an address."""
ATTEMPT_MAX = 255
POSITION_MAX = 65_535
PARTITION_MAX = 65_535
CODE_MAX = 255
VERSION_MAX = (1 << 32) - 1
"""Four bytes in a stub."""
OFFSET_MAX = (1 << 48) - 1
"""Six bytes in a stub."""
SETTLED = frozenset({"voided", "captured", "refunded"})


def _currency(text: str) -> bool:
    return len(text) == CURRENCY_LETTERS and text.isascii() and text.isalpha() and text.isupper()


def _plain(text: str, most: int) -> bool:
    """Names and words of providers: one byte a letter, so that what a record repeats of a row is bounded."""
    return len(text) <= most and text.isascii() and text.isprintable()


def _line_of_text(text: str, most: int) -> bool:
    """What people write. No control characters: not every database takes a NUL."""
    return len(text) <= most and all(letter >= " " for letter in text)


def _order(command: Any) -> bool:
    return len(command.order) == ORDER_ID_BYTES


def _born(command: Born, _: Role, __: int) -> bool:
    return (
        _order(command)
        and len(command.customer) == CUSTOMER_BYTES
        and len(command.fingerprint) == FINGERPRINT_BYTES
        and 0 < len(command.sku) <= SKU_MAX
        and 0 < command.quantity <= QUANTITY_MAX
        and 0 <= command.unit_price <= PRICE_MAX
        and command.unit_price * command.quantity <= AMOUNT_MAX
        and _currency(command.currency)
        and 0 <= command.deadline_ms <= TIME_MAX
        and 0 <= command.offset <= OFFSET_MAX
        and 0 <= command.position <= POSITION_MAX
        and _plain(command.method, METHOD_MAX)
        and len(command.shipping) <= CARRIED_BYTES_MAX
    )


def _place(command: Place, _: Role, latest: int) -> bool:
    lines = command.lines
    return (
        _order(command)
        and len(command.customer) == CUSTOMER_BYTES
        and len(command.fingerprint) == FINGERPRINT_BYTES
        and 0 <= command.not_after_ms <= latest
        and 0 < len(lines) <= LINES_MAX
        and [line.line for line in lines] == list(range(1, len(lines) + 1))
        and len({line.sku for line in lines}) == len(lines)
        and all(
            0 < len(line.sku) <= SKU_MAX
            and line.sku.isascii()
            and 0 <= line.partition <= PARTITION_MAX
            and 0 < line.quantity <= QUANTITY_MAX
            and -1 <= line.max_price <= PRICE_MAX
            for line in lines
        )
        and _plain(command.method, METHOD_MAX)
        and len(command.shipping) <= CARRIED_BYTES_MAX
    )


def _reserved(command: Reserved, _: Role, __: int) -> bool:
    return (
        _order(command)
        and 0 <= command.partition <= PARTITION_MAX
        and 0 < command.outcome <= CODE_MAX
        and len(command.granted) <= LINES_MAX
        and len(command.refused) <= LINES_MAX
        and all(
            0 <= line.line <= LINES_MAX
            and 0 <= line.unit_price <= PRICE_MAX
            and _currency(line.currency)
            and 0 <= line.deadline_ms <= TIME_MAX
            for line in command.granted
        )
        and all(0 <= line <= LINES_MAX and 0 < code <= CODE_MAX for line, code in command.refused)
    )


def _line_answered(command: LineAnswered, _: Role, __: int) -> bool:
    return (
        _order(command)
        and 0 <= command.line <= LINES_MAX
        and len(command.asked) <= REASON_MAX
        and 0 < command.outcome <= CODE_MAX
        and 0 <= command.reference <= NUMBER_MAX
    )


def _pay_answered(command: PayAnswered, _: Role, __: int) -> bool:
    return (
        _order(command)
        and 0 < command.attempt <= ATTEMPT_MAX
        and len(command.operation) <= REASON_MAX
        and len(command.outcome) <= REASON_MAX
        and _plain(command.intent, INTENT_MAX)
        and 0 <= command.amount <= AMOUNT_MAX
        and len(command.key) <= 2 * KEY_BYTES
        and _plain(command.reason, REASON_MAX)
        and _plain(command.action, ACTION_MAX)
    )


def _queued(command: Queued, _: Role, __: int) -> bool:
    return _order(command) and 0 < command.attempt <= ATTEMPT_MAX and 0 <= command.until_ms <= TIME_MAX


def _customer(customer: bytes, role: Role) -> bool:
    return len(customer) == CUSTOMER_BYTES or (not customer and role is not Role.GATEWAY)


def _method(command: Method, role: Role, _: int) -> bool:
    return (
        _order(command)
        and _customer(command.customer, role)
        and bool(command.method)
        and _plain(command.method, METHOD_MAX)
    )


def _cancel(command: Cancel, role: Role, _: int) -> bool:
    return _order(command) and len(command.key) == KEY_BYTES and _customer(command.customer, role)


def _booked(command: Booked, _: Role, __: int) -> bool:
    return _order(command) and 0 <= command.version <= VERSION_MAX


def _units(line: int, quantity: int) -> bool:
    """Some units of one line, or (quantity 0) all that are left of all lines."""
    return quantity == 0 if line == ALL_LINES else 0 <= line <= LINES_MAX and 0 < quantity <= QUANTITY_MAX


def _ship_or_deliver(command: Ship | Deliver, _: Role, __: int) -> bool:
    return _order(command) and _units(command.line, command.quantity)


def _take_back(command: TakeBack, _: Role, __: int) -> bool:
    return _order(command) and len(command.key) == KEY_BYTES and _units(command.line, command.quantity)


def _refund(command: Refund, _: Role, __: int) -> bool:
    return (
        _order(command)
        and len(command.key) == KEY_BYTES
        and 0 < command.amount <= AMOUNT_MAX
        and _line_of_text(command.reason, REASON_MAX)
    )


def _settle(command: Settle, _: Role, __: int) -> bool:
    return (
        _order(command)
        and bool(command.operator)
        and _line_of_text(command.operator, SKU_MAX)
        and bool(command.reference)
        and _line_of_text(command.reference, SKU_MAX)
        and command.outcome in SETTLED
    )


def _hint(command: Hint, _: Role, __: int) -> bool:
    return (
        _order(command)
        and 0 <= command.attempt <= ATTEMPT_MAX
        and _plain(command.intent, INTENT_MAX)
        and len(command.event) <= INTENT_MAX
        and len(command.kind) <= REASON_MAX
    )


def _orphan_closed(command: OrphanClosed, _: Role, __: int) -> bool:
    return (
        _order(command)
        and 0 <= command.attempt <= ATTEMPT_MAX
        and _plain(command.intent, INTENT_MAX)
        and len(command.outcome) <= REASON_MAX
        and 0 <= command.amount <= AMOUNT_MAX
    )


WELL_FORMED_ORDER: dict[type, Callable[[Any, Role, int], bool]] = {
    Born: _born,
    Place: _place,
    Reserved: _reserved,
    LineAnswered: _line_answered,
    PayAnswered: _pay_answered,
    Queued: _queued,
    Method: _method,
    Cancel: _cancel,
    Booked: _booked,
    Ship: _ship_or_deliver,
    Deliver: _ship_or_deliver,
    TakeBack: _take_back,
    Refund: _refund,
    Settle: _settle,
    Hint: _hint,
    OrphanClosed: _orphan_closed,
}
