"""Who may send which command to orders: the auditor's own table."""

from typing import Any

from domain.orders import (
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
from streams.protocol import Pin, Tick, Yield

_SENDERS: dict[type, frozenset[Role]] = {
    Born: frozenset({Role.RELAY}),
    Reserved: frozenset({Role.RELAY}),
    LineAnswered: frozenset({Role.RELAY}),
    PayAnswered: frozenset({Role.PAYMENT}),
    Queued: frozenset({Role.PAYMENT}),
    OrphanClosed: frozenset({Role.PAYMENT}),
    Booked: frozenset({Role.CONFIRMATION}),
    Place: frozenset({Role.GATEWAY}),
    Hint: frozenset({Role.GATEWAY, Role.PAYMENT}),
    Cancel: frozenset({Role.GATEWAY, Role.OPS}),
    Method: frozenset({Role.GATEWAY, Role.OPS}),
    Ship: frozenset({Role.OPS}),
    Deliver: frozenset({Role.OPS}),
    TakeBack: frozenset({Role.OPS}),
    Refund: frozenset({Role.OPS}),
    Settle: frozenset({Role.OPS}),
    Tick: frozenset({Role.GATEWAY, Role.OPS, Role.WORKER}),
    Yield: frozenset({Role.OPS, Role.WORKER}),
    Pin: frozenset({Role.OPS}),
}


def may_send(role: Role, command: Any) -> bool:
    """Whether this role may send this kind of command."""
    return role in _SENDERS[type(command)]
