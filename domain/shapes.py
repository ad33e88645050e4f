"""The shape of each command: what is not of it is MALFORMED, whoever sends it and whatever the state.

Every check gets the command and the latest `not_after_ms` that may be asked for.
"""

from collections.abc import Callable
from typing import Any

from domain.ids import CUSTOMER_BYTES, FINGERPRINT_BYTES, HOLD_ID_BYTES, ORDER_ID_BYTES
from domain.stock import (
    Adjust,
    Close,
    Commit,
    Extend,
    Open,
    Release,
    Reserve,
    ReserveAll,
    Return,
    SetPolicy,
    SetRules,
)

SKU_MAX = 64
CARRIED_BYTES_MAX = 1024
QUANTITY_MAX = 65_535
"""Units of one line and of one customer's limit: two bytes in a row."""
PRICE_MAX = 10**15
HOLD_MS_MAX = 15 * 60_000
"""The longest policy is as long as the longest extension: no hold outlives 15 minutes."""
TIME_MAX = (1 << 48) - 1
"""Milliseconds: the year 10889; six bytes in a row."""
DELTA_MAX = 1 << 31
NUMBER_MAX = (1 << 63) - 1
TEXT_MAX = 256
LINES_MAX = 64
CURRENCY_LETTERS = 3


def _reserve(command: Reserve, latest: int) -> bool:
    hold, sku, customer, quantity, not_after_ms, fingerprint, max_price, carried = command
    return (
        len(hold) == HOLD_ID_BYTES
        and len(customer) == CUSTOMER_BYTES
        and len(fingerprint) == FINGERPRINT_BYTES
        and 0 < quantity <= QUANTITY_MAX
        and 0 <= not_after_ms <= latest
        and 0 < len(sku) <= SKU_MAX
        and -1 <= max_price <= PRICE_MAX
        and len(carried) <= CARRIED_BYTES_MAX
    )


def _reserve_all(command: ReserveAll, latest: int) -> bool:
    order, customer, _partial, not_after_ms, fingerprint, lines, carried = command
    return (
        len(order) == ORDER_ID_BYTES
        and len(customer) == CUSTOMER_BYTES
        and len(fingerprint) == FINGERPRINT_BYTES
        and 0 <= not_after_ms <= latest
        and len(carried) <= CARRIED_BYTES_MAX
        and 0 < len(lines) <= LINES_MAX
        and len({line.line for line in lines}) == len(lines)
        and len({line.sku for line in lines}) == len(lines)
        and all(
            0 <= line.line <= 255  # noqa: PLR2004 - one byte of the hold's id
            and 0 < len(line.sku) <= SKU_MAX
            and 0 < line.quantity <= QUANTITY_MAX
            and -1 <= line.max_price <= PRICE_MAX
            for line in lines
        )
    )


def _commit_or_release(command: Commit | Release, _: int) -> bool:
    hold, customer = command
    return len(hold) == HOLD_ID_BYTES and len(customer) in {0, CUSTOMER_BYTES}


def _extend(command: Extend, _: int) -> bool:
    return len(command.hold) == HOLD_ID_BYTES and 0 <= command.until_ms <= TIME_MAX


def _return(command: Return, _: int) -> bool:
    return (
        len(command.hold) == HOLD_ID_BYTES
        and 0 <= command.reference <= NUMBER_MAX
        and 0 < command.quantity <= QUANTITY_MAX
    )


def _adjust(command: Adjust, _: int) -> bool:
    return (
        0 < len(command.sku) <= SKU_MAX
        and 0 < abs(command.delta) <= DELTA_MAX
        and 0 < len(command.reference) <= SKU_MAX
        and len(command.reason) <= TEXT_MAX
    )


def _set_policy(command: SetPolicy, _: int) -> bool:
    currency = command.currency
    return (
        0 < len(command.sku) <= SKU_MAX
        and 0 <= command.version <= NUMBER_MAX
        and 0 <= command.price <= PRICE_MAX
        and len(currency) == CURRENCY_LETTERS
        and currency.isascii()
        and currency.isalpha()
        and currency.isupper()
        and 0 < command.limit <= QUANTITY_MAX
        and 0 < command.hold_ms <= HOLD_MS_MAX
        and len(command.customer_key) <= SKU_MAX
    )


def _open_or_close(command: Open | Close, _: int) -> bool:
    return 0 < len(command.sku) <= SKU_MAX and 0 < command.version <= NUMBER_MAX


def _set_rules(command: SetRules, _: int) -> bool:
    return 0 < command.version <= NUMBER_MAX


WELL_FORMED: dict[type, Callable[[Any, int], bool]] = {
    Reserve: _reserve,
    ReserveAll: _reserve_all,
    Commit: _commit_or_release,
    Release: _commit_or_release,
    Extend: _extend,
    Return: _return,
    Adjust: _adjust,
    SetPolicy: _set_policy,
    Open: _open_or_close,
    Close: _open_or_close,
    SetRules: _set_rules,
}
