"""From changes to the next state: what the owner does after `decide`, and every other reader with an accepted record.

An exception here is a bug or a record that does not fit the state (InvariantViolatedError): the partition stops.
"""

from collections.abc import Callable, Sequence
from typing import Any

from domain.columns import GrantedRun, RefusedRun
from domain.outcomes import InvariantViolatedError
from domain.pool import Adjustment, Phase, Policy, Pool, Terms
from domain.reservation import ENDED, EXPIRED, HELD, NO_TERMS, RELEASED, RETURNED, SOLD, Row, RowState
from domain.state import Inventory
from domain.stock import (
    Adjusted,
    Answered,
    Closed,
    Expired,
    Extended,
    Granted,
    Opened,
    PolicySet,
    Refused,
    Released,
    Returned,
    RulesSet,
    Sold,
    Totals,
)


def begin(state: Inventory, src: int, clk: int) -> None:
    """The record at `src` starts: time moves to `clk`, what is old is forgotten. InvariantViolatedError: time back."""
    if clk < state.clk:
        message = f"log time {clk} is before {state.clk}"
        raise InvariantViolatedError(message)
    state.src = src
    state.clk = clk
    state.touched = []
    state.rules = state.rules_by_version[state.rules_version]
    rules = state.rules
    state.refusals.turn(clk // rules.refusal_generation_ms, rules.refusal_generations)
    for ended_ms, hold in state.endings.take(clk - rules.ended_keep_ms, rules.prune_max):
        row = state.rows.get(hold)
        if row is not None and row.state in ENDED and row.moment_ms == ended_ms:
            _forget(state, row)


def _forget(state: Inventory, row: Row) -> None:
    state.rows.remove(row)
    state.returns.pop(row.hold, None)
    if row.terms == NO_TERMS:
        state.tombstone_count -= 1
        left = state.tombstones.get(row.customer, 0) - 1
        if left > 0:
            state.tombstones[row.customer] = left
        else:
            state.tombstones.pop(row.customer, None)


def finish(state: Inventory) -> list[Totals]:
    """The record ends: one sequence number for each pool that it touched; InvariantViolatedError if one is unsound."""
    for pool in state.touched:
        pool.sequence += 1
    return [pool.check() for pool in state.touched]


def granted(state: Inventory, changes: Sequence[Granted]) -> None:
    """No row -> HELD: available to held."""
    if isinstance(changes, GrantedRun):
        _granted_together(state, changes)
        return
    src, clk, terms, pools = state.src, state.clk, state.terms, state.pools
    add_row, add_count, add_deadline = state.rows.hold, state.counts.add_held, state.deadlines.add
    for index, hold, sku, customer, quantity, price, currency, deadline_ms, fingerprint, _ in changes:
        pool = pools.get(sku) or state.pool(sku)
        number = pool.terms
        _, as_price, as_currency, hold_ms = terms[number - 1]
        if quantity > pool.available or price != as_price or currency != as_currency or deadline_ms != clk + hold_ms:
            message = f"grant {hold.hex()} does not fit pool {sku!r}"
            raise InvariantViolatedError(message)
        pool.available -= quantity
        pool.held += quantity
        if pool.touched_at != src:
            state.touch(pool)
        add_row(hold, customer, fingerprint, number, quantity, src, index, deadline_ms)
        add_count(customer, pool.key, quantity)
        add_deadline(pool, deadline_ms, (hold,))


def _granted_together(state: Inventory, run: GrantedRun) -> None:
    """Many at once: what is asked of each, asked of all that share their terms."""
    numbers, holds = run.numbers, run.holds
    units = [0] * len(run.terms)
    shares: list[list[bytes]] = [[] for _ in run.terms]
    for number, quantity, hold in zip(numbers, run.quantities, holds, strict=False):
        units[number] += quantity
        shares[number].append(hold)
    if not numbers:
        units, shares = [sum(run.quantities)], [list(holds)]
    origins, keys = [], []
    for (sku, price, currency, deadline_ms), more, mine in zip(run.terms, units, shares, strict=True):
        pool = state.pool(sku)
        _, as_price, as_currency, hold_ms = state.terms[pool.terms - 1]
        is_alike = price == as_price and currency == as_currency and deadline_ms == state.clk + hold_ms
        if more > pool.available or not mine or not is_alike:
            message = f"grants from {holds[0].hex()} on do not fit pool {sku!r}"
            raise InvariantViolatedError(message)
        pool.available -= more
        pool.held += more
        state.touch(pool)
        state.deadlines.add(pool, deadline_ms, mine)
        origins.append((pool.terms, deadline_ms))
        keys.append(pool.key)
    state.rows.hold_all(
        holds, run.customers, run.fingerprints, origins, numbers, run.quantities, state.src, run.indexes
    )
    state.counts.add_held_all(run.customers, keys, numbers, run.quantities)


def refused(state: Inventory, changes: Sequence[Refused]) -> None:
    """A refusal is remembered; no counter moves."""
    if isinstance(changes, RefusedRun):
        state.refusals.add_all(changes.holds, changes.outcomes, changes.fingerprints, state.src, changes.indexes)
        return
    src, add = state.src, state.refusals.add
    for index, hold, outcome, fingerprint in changes:
        add(hold, outcome, fingerprint, src, index)


def _row(state: Inventory, hold: bytes, *states: int) -> Row:
    row = state.rows.get(hold)
    if row is None or row.state not in states:
        message = f"reservation {hold.hex()} is {row and RowState(row.state).name}, not one of {states}"
        raise InvariantViolatedError(message)
    return row


def _pool_of(state: Inventory, row: Row) -> Pool:
    pool = state.terms[row.terms - 1].pool
    state.touch(pool)
    return pool


def sold(state: Inventory, changes: Sequence[Sold]) -> None:
    """HELD -> SOLD: held to sold. EXPIRED -> SOLD: available to sold, and counted for the customer again."""
    rows, counts = state.rows, state.counts
    for _, hold in changes:
        row = _row(state, hold, HELD, EXPIRED)
        pool = _pool_of(state, row)
        quantity = row.quantity
        if row.state == HELD:
            pool.held -= quantity
            state.deadlines.drop(pool, row.moment_ms)
            counts.add_held(row.customer, pool.key, -quantity)
        else:
            pool.available -= quantity
        pool.sold += quantity
        counts.add_sold(row.customer, pool.key, quantity)
        rows.update(row, SOLD, 0, state.clk)


def released(state: Inventory, changes: Sequence[Released]) -> None:
    """HELD, SOLD -> RELEASED: what is left of it to available. EXPIRED -> RELEASED. none -> a tombstone."""
    for index, hold, customer in changes:
        row = state.rows.get(hold)
        if row is None:
            _bury(state, index, hold, customer)
            continue
        row = _row(state, hold, HELD, SOLD, EXPIRED)
        left = row.quantity - row.returned
        if row.state != EXPIRED:
            pool = _pool_of(state, row)
            pool.available += left
            if row.state == HELD:
                pool.held -= left
                state.counts.add_held(row.customer, pool.key, -left)
                state.deadlines.drop(pool, row.moment_ms)
            else:
                pool.sold -= left
                state.counts.add_sold(row.customer, pool.key, -left)
        _end(state, row, RELEASED, row.returned)


def _bury(state: Inventory, index: int, hold: bytes, customer: bytes) -> None:
    state.rows.bury(hold, customer, state.src, index, state.clk)
    state.endings.add(state.clk, hold)
    state.tombstone_count += 1
    if customer:
        state.tombstones[customer] = state.tombstones.get(customer, 0) + 1


def _end(state: Inventory, row: Row, end: int, returned: int) -> None:
    state.rows.update(row, end, returned, state.clk)
    state.endings.add(state.clk, row.hold)


def expired(state: Inventory, changes: Sequence[Expired]) -> None:
    """HELD -> EXPIRED: held to available. InvariantViolatedError before its time."""
    add_held, drop, update, clk = state.counts.add_held, state.deadlines.drop, state.rows.update, state.clk
    for (hold,) in changes:
        row = _row(state, hold, HELD)
        quantity, moment_ms = row.quantity, row.moment_ms
        if moment_ms > clk:
            message = f"reservation {hold.hex()} is not due before {moment_ms}"
            raise InvariantViolatedError(message)
        pool = _pool_of(state, row)
        pool.held -= quantity
        pool.available += quantity
        add_held(row.customer, pool.key, -quantity)
        drop(pool, moment_ms)
        update(row, EXPIRED, 0, clk)
    state.endings.add(clk, b"".join(hold for (hold,) in changes))


def extended(state: Inventory, changes: Sequence[Extended]) -> None:
    """HELD, a later deadline; no counter moves."""
    for _, hold, deadline_ms in changes:
        row = _row(state, hold, HELD)
        if deadline_ms <= row.moment_ms:
            message = f"reservation {hold.hex()} does not end later at {deadline_ms}"
            raise InvariantViolatedError(message)
        pool = state.terms[row.terms - 1].pool
        state.deadlines.drop(pool, row.moment_ms)
        state.rows.update(row, HELD, 0, deadline_ms)
        state.deadlines.add(pool, deadline_ms, (hold,))


def returned(state: Inventory, changes: Sequence[Returned]) -> None:
    """SOLD, fewer units: sold to available (restock) or written_off; RETURNED when none is left."""
    for _, hold, reference, quantity, restock in changes:
        row = _row(state, hold, SOLD)
        back = row.returned + quantity
        if back > row.quantity:
            message = f"reservation {hold.hex()} has not {quantity} units to return"
            raise InvariantViolatedError(message)
        pool = _pool_of(state, row)
        pool.sold -= quantity
        if restock:
            pool.available += quantity
        else:
            pool.written_off += quantity
        state.counts.add_sold(row.customer, pool.key, -quantity)
        state.returns.setdefault(hold, {})[reference] = (quantity, restock)
        if back == row.quantity:
            _end(state, row, RETURNED, back)
        else:
            state.rows.update(row, SOLD, back, row.moment_ms)


def adjusted(state: Inventory, changes: Sequence[Adjusted]) -> None:
    """Units into available, or out of it."""
    for _, sku, delta, reference, shortfall in changes:
        pool = state.pool(sku)
        state.touch(pool)
        pool.received += delta
        pool.available += delta
        pool.adjustments[reference] = Adjustment(delta, shortfall)


def policy_set(state: Inventory, changes: Sequence[PolicySet]) -> None:
    """A pool is created (version 1, not yet open) or its policy changes; existing holds keep their terms."""
    for _, sku, version, price, currency, limit, hold_ms, customer_key in changes:
        policy = Policy(price, currency, limit, hold_ms, customer_key)
        pool = state.pools.get(sku)
        if version != (pool.version + 1 if pool else 1):
            message = f"pool {sku!r} gets policy version {version} out of turn"
            raise InvariantViolatedError(message)
        if pool is None:
            pool = state.pools[sku] = Pool(len(state.pools), sku, policy, NO_TERMS)
        pool.version = version
        pool.policy = policy
        terms = Terms(pool, policy.price, policy.currency, policy.hold_ms)
        if pool.terms == NO_TERMS or state.terms[pool.terms - 1] != terms:
            state.terms.append(terms)
            pool.terms = len(state.terms)
        state.touch(pool)


def opened(state: Inventory, changes: Sequence[Opened]) -> None:
    """Selling starts."""
    for _, sku, version in changes:
        _turn(state, sku, version, Phase.OPEN)


def closed(state: Inventory, changes: Sequence[Closed]) -> None:
    """Selling stops."""
    for _, sku, version in changes:
        _turn(state, sku, version, Phase.CLOSED)


def _turn(state: Inventory, sku: str, version: int, phase: Phase) -> None:
    pool = state.pool(sku)
    if version != pool.version + 1:
        message = f"pool {sku!r} gets policy version {version} out of turn"
        raise InvariantViolatedError(message)
    pool.version = version
    pool.phase = phase
    state.touch(pool)


def rules_set(state: Inventory, changes: Sequence[RulesSet]) -> None:
    """Another rules version, in force from the next record on."""
    for _, version in changes:
        state.rules_version = version


def answered(state: Inventory, changes: Sequence[Answered]) -> None:
    """Nothing."""


EVOLVE: dict[type, Callable[[Inventory, Sequence[Any]], None]] = {
    Granted: granted,
    Refused: refused,
    Sold: sold,
    Released: released,
    Expired: expired,
    Extended: extended,
    Returned: returned,
    Adjusted: adjusted,
    PolicySet: policy_set,
    Opened: opened,
    Closed: closed,
    RulesSet: rules_set,
    Answered: answered,
}
