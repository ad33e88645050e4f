"""Which commands are well formed, and who may send which: the auditor's own table."""

from collections.abc import Callable
from typing import Any

from domain.roles import Role
from domain.stock import (
    Adjust,
    Close,
    Commit,
    Extend,
    Line,
    Open,
    Release,
    Reserve,
    ReserveAll,
    Return,
    SetPolicy,
    SetRules,
)
from ops.audit.limits import AHEAD_MAX_MS, MINUTE_MS
from streams.protocol import Pin, Tick, Yield

SENDERS: dict[type, frozenset[Role]] = {
    Reserve: frozenset({Role.GATEWAY, Role.ORDER}),
    ReserveAll: frozenset({Role.ORDER}),
    Commit: frozenset({Role.ORDER, Role.OPS}),
    Release: frozenset({Role.ORDER, Role.OPS}),
    Extend: frozenset({Role.ORDER, Role.OPS}),
    Return: frozenset({Role.ORDER, Role.OPS}),
    Adjust: frozenset({Role.OPS}),
    SetPolicy: frozenset({Role.OPS}),
    Open: frozenset({Role.OPS}),
    Close: frozenset({Role.OPS}),
    SetRules: frozenset({Role.OPS}),
    Tick: frozenset({Role.GATEWAY, Role.OPS, Role.WORKER}),
    Yield: frozenset({Role.OPS, Role.WORKER}),
    Pin: frozenset({Role.OPS}),
}

_HOLD = 17
_ORDER = 16
_HASH = 8
_UNITS = 0xFFFF
_NAME = 64
_BLOB = 1024
_MONEY = 10**15
_INT64 = (1 << 63) - 1
_TIME = (1 << 48) - 1
_BYTE = 0xFF


def _asked(sku: str, quantity: int, max_price: int) -> bool:
    return 1 <= len(sku) <= _NAME and 1 <= quantity <= _UNITS and -1 <= max_price <= _MONEY


def _who(customer: bytes, fingerprint: bytes, carried: bytes) -> bool:
    return len(customer) == len(fingerprint) == _HASH and len(carried) <= _BLOB


def _reserve(command: Reserve, clk: int) -> bool:
    return (
        len(command.hold) == _HOLD
        and _who(command.customer, command.fingerprint, command.carried)
        and _asked(command.sku, command.quantity, command.max_price)
        and 0 <= command.not_after_ms <= clk + AHEAD_MAX_MS
    )


def _line(line: Line) -> bool:
    return 0 <= line.line <= _BYTE and _asked(line.sku, line.quantity, line.max_price)


def _reserve_all(command: ReserveAll, clk: int) -> bool:
    lines = command.lines
    return (
        len(command.order) == _ORDER
        and _who(command.customer, command.fingerprint, command.carried)
        and 0 <= command.not_after_ms <= clk + AHEAD_MAX_MS
        and 1 <= len(lines) <= _NAME
        and len({line.line for line in lines}) == len({line.sku for line in lines}) == len(lines)
        and all(_line(line) for line in lines)
    )


def _settle(command: Commit | Release, _: int) -> bool:
    return len(command.hold) == _HOLD and len(command.customer) in {0, _HASH}


def _extend(command: Extend, _: int) -> bool:
    return len(command.hold) == _HOLD and 0 <= command.until_ms <= _TIME


def _return(command: Return, _: int) -> bool:
    return len(command.hold) == _HOLD and 0 <= command.reference <= _INT64 and 1 <= command.quantity <= _UNITS


def _adjust(command: Adjust, _: int) -> bool:
    return (
        1 <= len(command.sku) <= _NAME
        and 1 <= abs(command.delta) <= 1 << 31
        and 1 <= len(command.reference) <= _NAME
        and len(command.reason) <= 4 * _NAME
    )


def _set_policy(command: SetPolicy, _: int) -> bool:
    return (
        1 <= len(command.sku) <= _NAME
        and 0 <= command.version <= _INT64
        and 0 <= command.price <= _MONEY
        and len(command.currency) == len("EUR")
        and all("A" <= letter <= "Z" for letter in command.currency)
        and 1 <= command.limit <= _UNITS
        and 1 <= command.hold_ms <= 15 * MINUTE_MS
        and len(command.customer_key) <= _NAME
    )


def _open_or_close(command: Open | Close, _: int) -> bool:
    return 1 <= len(command.sku) <= _NAME and 1 <= command.version <= _INT64


def _set_rules(command: SetRules, _: int) -> bool:
    return 1 <= command.version <= _INT64


_SHAPES: dict[type, Callable[[Any, int], bool]] = {
    Reserve: _reserve,
    ReserveAll: _reserve_all,
    Commit: _settle,
    Release: _settle,
    Extend: _extend,
    Return: _return,
    Adjust: _adjust,
    SetPolicy: _set_policy,
    Open: _open_or_close,
    Close: _open_or_close,
    SetRules: _set_rules,
}


def well_formed(command: Any, clk: int) -> bool:
    """Whether a stock command has the shape of its kind."""
    return _SHAPES[type(command)](command, clk)


def may_send(role: Role, command: Any) -> bool:
    """Whether this role may send this kind of command."""
    return role in SENDERS[type(command)]
