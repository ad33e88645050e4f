"""Who may send which command to orders: the auditor's own table."""

from typing import Any

from domain import orders
from domain.roles import Role
from streams.protocol import Pin, Tick, Yield

_SENDERS: dict[type, frozenset[Role]] = {
    orders.Born: frozenset({Role.RELAY}),
    orders.Reserved: frozenset({Role.RELAY}),
    orders.LineAnswered: frozenset({Role.RELAY}),
    orders.PayAnswered: frozenset({Role.PAYMENT}),
    orders.Queued: frozenset({Role.PAYMENT}),
    orders.OrphanClosed: frozenset({Role.PAYMENT}),
    orders.Booked: frozenset({Role.CONFIRMATION}),
    orders.Place: frozenset({Role.GATEWAY}),
    orders.Hint: frozenset({Role.GATEWAY, Role.PAYMENT}),
    orders.Cancel: frozenset({Role.GATEWAY, Role.OPS}),
    orders.Method: frozenset({Role.GATEWAY, Role.OPS}),
    orders.Ship: frozenset({Role.OPS}),
    orders.Deliver: frozenset({Role.OPS}),
    orders.TakeBack: frozenset({Role.OPS}),
    orders.Refund: frozenset({Role.OPS}),
    orders.Settle: frozenset({Role.OPS}),
    Tick: frozenset({Role.GATEWAY, Role.OPS, Role.WORKER}),
    Yield: frozenset({Role.OPS, Role.WORKER}),
    Pin: frozenset({Role.OPS}),
}


def may_send(role: Role, command: Any) -> bool:
    """Whether this role may send this kind of command."""
    return role in _SENDERS[type(command)]
