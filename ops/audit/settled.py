"""What commands on existing holds, and the operator's, should have come to: the auditor's own reading of the tables."""

from collections.abc import Callable
from typing import Any

from domain.outcomes import Outcome
from domain.stock import (
    Adjust,
    Adjusted,
    Close,
    Closed,
    Commit,
    Extend,
    Extended,
    Open,
    Opened,
    PolicySet,
    Release,
    Released,
    Return,
    Returned,
    RulesSet,
    SetPolicy,
    SetRules,
    Sold,
)
from ops.audit.expected import BUSY, Expected, swept_out
from ops.audit.limits import EXTEND_MAX_MS, TOMBSTONES_MAX, TOMBSTONES_PER_CUSTOMER
from ops.audit.pools import Hold, Pool, State
from ops.audit.stock import Stock

COMMITTED = Expected(Outcome.COMMITTED)
RELEASED = Expected(Outcome.RELEASED)
EXTENDED = Expected(Outcome.EXTENDED)
EXPIRED = Expected(Outcome.EXPIRED)
RETURNED = Expected(Outcome.RETURNED)
GONE = Expected(Outcome.GONE)
NOT_YOURS = Expected(Outcome.NOT_YOURS)
UNKNOWN_SKU = Expected(Outcome.UNKNOWN_SKU)
CONFLICT = Expected(Outcome.CONFLICT)
KEY_REUSED = Expected(Outcome.KEY_REUSED)


def _foreign(hold: Hold, customer: bytes) -> bool:
    """Somebody else's. Nobody's: a tombstone that came without a customer."""
    return bool(customer) and bool(hold.customer) and hold.customer != customer


def _commit(stock: Stock, command: Commit, index: int, hold: Hold | None) -> list[Expected]:
    if hold is None:
        return [GONE]
    if _foreign(hold, command.customer):
        return [NOT_YOURS]
    sold = Expected(Outcome.COMMITTED, (Sold(index, command.hold),))
    if hold.state is State.HELD:
        return [sold]
    if hold.state is State.SOLD:
        return [COMMITTED]
    if hold.state is not State.EXPIRED or hold.pool is None:
        return [GONE]
    gone = Expected(Outcome.GONE, (Released(index, command.hold, hold.customer),))
    answer = sold if _sells_again(stock, hold, hold.pool) else gone
    return [answer, BUSY] if swept_out(stock, hold.pool) else [answer]


def _sells_again(stock: Stock, hold: Hold, pool: Pool) -> bool:
    """Whether units and the limit allow the sale of an expired hold, what is due counted as back."""
    due = pool.due(stock.holds, stock.clk)
    free = pool.available + sum(other.left for other in due)
    counted = pool.counts.get(hold.customer, 0)
    counted -= sum(other.left for other in due if other.customer == hold.customer)
    return hold.quantity <= free and counted + hold.quantity <= pool.limit


def _release(stock: Stock, command: Release, index: int, hold: Hold | None) -> list[Expected]:
    if hold is None:
        options = [Expected(Outcome.RELEASED, (Released(index, command.hold, command.customer),))]
        graves = stock.tombstones.get(command.customer, 0) if command.customer else 0
        if graves >= TOMBSTONES_PER_CUSTOMER or sum(stock.tombstones.values()) >= TOMBSTONES_MAX:
            options.append(BUSY)
        return options
    if _foreign(hold, command.customer):
        return [NOT_YOURS]
    if hold.state in {State.RELEASED, State.RETURNED}:
        return [RELEASED]
    return [Expected(Outcome.RELEASED, (Released(index, command.hold, hold.customer),))]


def _extend(stock: Stock, command: Extend, index: int, hold: Hold | None) -> list[Expected]:
    if hold is None:
        return [GONE]
    if hold.state is State.EXPIRED or hold.due(stock.clk):
        return [EXPIRED]
    if hold.state is not State.HELD:
        return [GONE]
    until_ms = min(command.until_ms, hold.granted_ms + EXTEND_MAX_MS)
    if until_ms <= hold.due_ms:
        return [EXTENDED]
    return [Expected(Outcome.EXTENDED, (Extended(index, command.hold, until_ms),))]


def _return(_: Stock, command: Return, index: int, hold: Hold | None) -> list[Expected]:
    if hold is None or hold.state not in {State.SOLD, State.RETURNED}:
        return [GONE]
    before = (hold.returns or {}).get(command.reference)
    if before is not None:
        return [RETURNED if before == (command.quantity, command.restock) else KEY_REUSED]
    if hold.state is State.RETURNED:
        return [RETURNED]
    if command.quantity > hold.left:
        return [Expected(Outcome.SHORTFALL)]
    change = Returned(index, command.hold, command.reference, command.quantity, command.restock)
    return [Expected(Outcome.RETURNED, (change,))]


def _adjust(stock: Stock, command: Adjust, index: int) -> list[Expected]:
    pool = stock.pools.get(command.sku)
    if pool is None:
        return [UNKNOWN_SKU]
    before = pool.adjustments.get(command.reference)
    if before is not None:
        delta, shortfall = before
        if delta - shortfall != command.delta:
            return [KEY_REUSED]
        return [Expected(Outcome.SHORTFALL if shortfall else Outcome.ADJUSTED)]
    delta = command.delta if command.delta > 0 else -min(-command.delta, pool.available)
    shortfall = delta - command.delta
    change = Adjusted(index, command.sku, delta, command.reference, shortfall)
    return [Expected(Outcome.SHORTFALL if shortfall else Outcome.ADJUSTED, (change,))]


def _set_policy(stock: Stock, command: SetPolicy, index: int) -> list[Expected]:
    pool = stock.pools.get(command.sku)
    if pool is None and command.version > 0:
        return [UNKNOWN_SKU]
    if pool is not None and pool.version != command.version:
        return [CONFLICT]
    change = PolicySet(index, command.sku, command.version + 1, *command[2:])
    return [Expected(Outcome.POLICY_SET, (change,))]


def _turn(stock: Stock, command: Open | Close, index: int) -> list[Expected]:
    pool = stock.pools.get(command.sku)
    if pool is None:
        return [UNKNOWN_SKU]
    if pool.version != command.version:
        return [CONFLICT]
    if isinstance(command, Open):
        return [Expected(Outcome.OPENED, (Opened(index, command.sku, command.version + 1),))]
    return [Expected(Outcome.SHUT, (Closed(index, command.sku, command.version + 1),))]


def _set_rules(stock: Stock, command: SetRules, index: int) -> list[Expected]:
    if command.version == stock.rules_version:
        return [Expected(Outcome.RULES_SET)]
    if command.version != stock.rules_version + 1:
        return [CONFLICT]
    return [Expected(Outcome.RULES_SET, (RulesSet(index, command.version),))]


_OF_HOLDS: dict[type, Callable[[Stock, Any, int, Hold | None], list[Expected]]] = {
    Commit: _commit,
    Release: _release,
    Extend: _extend,
    Return: _return,
}
_OF_POOLS: dict[type, Callable[[Stock, Any, int], list[Expected]]] = {
    Adjust: _adjust,
    SetPolicy: _set_policy,
    Open: _turn,
    Close: _turn,
    SetRules: _set_rules,
}


def settle(stock: Stock, command: Any, index: int) -> list[Expected]:
    """The allowed answers to any stock command but Reserve and ReserveAll."""
    of_pool = _OF_POOLS.get(type(command))
    if of_pool is not None:
        return of_pool(stock, command, index)
    of_hold = _OF_HOLDS[type(command)]
    hold = stock.holds.get(command.hold)
    options = of_hold(stock, command, index, hold)
    if hold is not None and stock.remembered(command.hold) is None:
        options = options + of_hold(stock, command, index, None)
    return options
