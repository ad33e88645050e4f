"""Deciding what operators send: Adjust, SetPolicy, Open, Close, SetRules."""

from domain.outcomes import Outcome
from domain.state import Inventory
from domain.stock import (
    Adjust,
    Adjusted,
    Close,
    Closed,
    Open,
    Opened,
    PolicySet,
    RulesSet,
    SetPolicy,
    SetRules,
)
from domain.verdict import CONFLICT, KEY_REUSED, UNKNOWN_SKU, Verdict


def adjust(state: Inventory, command: Adjust, index: int) -> Verdict:
    """Units in, or out of available as far as they go (the rest: SHORTFALL, remembered as such).

    A reference seen before gets its first outcome again, or KEY_REUSED if other units were asked with it.
    """
    sku, delta, reference, _ = command
    pool = state.pools.get(sku)
    if pool is None:
        return UNKNOWN_SKU
    seen = pool.adjustments.get(reference)
    if seen is not None:
        if seen.delta - seen.shortfall != delta:
            return KEY_REUSED
        return Verdict(Outcome.SHORTFALL if seen.shortfall else Outcome.ADJUSTED)
    taken = max(delta, -pool.available)
    shortfall = taken - delta
    change = Adjusted(index, sku, taken, reference, shortfall)
    return Verdict(Outcome.SHORTFALL if shortfall else Outcome.ADJUSTED, (change,))


def set_policy(state: Inventory, command: SetPolicy, index: int) -> Verdict:
    """Version 0 creates the pool; another one must be the pool's, else CONFLICT. UNKNOWN_SKU: no pool to change."""
    sku, version, price, currency, limit, hold_ms, customer_key = command
    pool = state.pools.get(sku)
    if pool is None and version:
        return UNKNOWN_SKU
    if pool is not None and pool.version != version:
        return CONFLICT
    change = PolicySet(index, sku, version + 1, price, currency, limit, hold_ms, customer_key)
    return Verdict(Outcome.POLICY_SET, (change,))


def open_(state: Inventory, command: Open, index: int) -> Verdict:
    """Selling starts (or goes on), as one more policy version."""
    pool = state.pools.get(command.sku)
    if pool is None:
        return UNKNOWN_SKU
    if pool.version != command.version:
        return CONFLICT
    return Verdict(Outcome.OPENED, (Opened(index, command.sku, pool.version + 1),))


def close(state: Inventory, command: Close, index: int) -> Verdict:
    """Selling stops; holds stay what they are and may still be committed."""
    pool = state.pools.get(command.sku)
    if pool is None:
        return UNKNOWN_SKU
    if pool.version != command.version:
        return CONFLICT
    return Verdict(Outcome.SHUT, (Closed(index, command.sku, pool.version + 1),))


def set_rules(state: Inventory, command: SetRules, index: int) -> Verdict:
    """The next version, or the present one again (no change); anything else is CONFLICT.

    Whether this program implements the next one is not asked: that would make the answer depend on who decides. A
    worker that does not stops at the next record, and one that does claims.
    """
    if command.version == state.rules_version:
        return Verdict(Outcome.RULES_SET)
    if command.version != state.rules_version + 1:
        return CONFLICT
    return Verdict(Outcome.RULES_SET, (RulesSet(index, command.version),))
