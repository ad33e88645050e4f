"""Deciding Commit, Release, Extend and Return: the table of reservation rows in docs/guarantees.md, row by row."""

from domain.outcomes import Outcome
from domain.reservation import EXPIRED, HELD, RELEASED, RETURNED, SOLD, Row
from domain.reserving import due_now
from domain.state import Inventory
from domain.stock import Commit, Extend, Extended, Release, Released, Return, Returned, Sold
from domain.verdict import BUSY, GONE, KEY_REUSED, NOT_YOURS, SHORTFALL, Verdict

_DONE = frozenset({RELEASED, RETURNED})
_COMMITTED_CODE, _RELEASED_CODE = int(Outcome.COMMITTED), int(Outcome.RELEASED)
_new = tuple.__new__
"""Plain numbers and tuples, as in domain/reserving.py: every sale and every release comes here."""
_COMMITTED = Verdict(Outcome.COMMITTED)
_RELEASED = Verdict(Outcome.RELEASED)
_EXTENDED = Verdict(Outcome.EXTENDED)
_EXPIRED = Verdict(Outcome.EXPIRED)
_RETURNED = Verdict(Outcome.RETURNED)


def _not_yours(row: Row, customer: bytes) -> bool:
    """A tombstone that was made without a customer is nobody's in particular."""
    return bool(customer and row.customer) and row.customer != customer


def commit(state: Inventory, command: Commit, index: int) -> Verdict:
    """HELD -> SOLD, also past its deadline as long as it was not swept: expiring it first would free its own units.

    EXPIRED -> SOLD if units and the customer's limit allow (the pool being closed does not matter: it was promised),
    else RELEASED, and GONE for ever.
    """
    hold, customer = command
    row = state.rows.get(hold)
    if row is None:
        return GONE
    if _not_yours(row, customer):
        return NOT_YOURS
    if row.state == HELD:
        return _new(Verdict, (_COMMITTED_CODE, (_new(Sold, (index, hold)),), (), None))
    if row.state == SOLD:
        return _COMMITTED
    if row.state == EXPIRED:
        return _sell_again(state, row, index)
    return GONE


def _sell_again(state: Inventory, row: Row, index: int) -> Verdict:
    pool = state.terms[row.terms - 1].pool
    counted = state.counts.get(row.customer, pool.key)
    if row.quantity <= pool.available and counted + row.quantity <= pool.policy.limit:
        return Verdict(Outcome.COMMITTED, (Sold(index, row.hold),))
    lacking = pool if due_now(pool, state.clk) else None
    return Verdict(Outcome.GONE, (Released(index, row.hold, row.customer),), lacking=lacking)


def release(state: Inventory, command: Release, index: int) -> Verdict:
    """Absorbing: HELD, SOLD (what was not returned) and EXPIRED -> RELEASED; an unknown hold leaves a tombstone.

    RELEASED and RETURNED stay what they are. No room for a tombstone: BUSY, nothing happened.
    """
    hold, customer = command
    row = state.rows.get(hold)
    if row is None:
        rules = state.rules
        if (
            state.tombstone_count >= rules.tombstones_max
            or state.tombstones.get(customer, 0) >= rules.tombstones_per_customer
        ):
            return BUSY
        return Verdict(Outcome.RELEASED, (Released(index, hold, customer),))
    if _not_yours(row, customer):
        return NOT_YOURS
    if row.state in _DONE:
        return _RELEASED
    return _new(Verdict, (_RELEASED_CODE, (_new(Released, (index, hold, row.customer)),), (), None))


def extend(state: Inventory, command: Extend, index: int) -> Verdict:
    """A later deadline for a live hold, at most 15 minutes after its grant.

    What would not be later changes nothing and is EXTENDED. A hold past its deadline is EXPIRED, swept or not; any
    other row, or none, is GONE.
    """
    hold, until_ms = command
    row = state.rows.get(hold)
    if row is None:
        return GONE
    if row.state == EXPIRED or (row.state == HELD and row.moment_ms <= state.clk):
        return _EXPIRED
    if row.state != HELD:
        return GONE
    granted_ms = row.deadline_ms - state.terms[row.terms - 1].hold_ms
    deadline_ms = min(until_ms, granted_ms + state.rules.extend_max_ms)
    if deadline_ms <= row.moment_ms:
        return _EXTENDED
    return Verdict(Outcome.EXTENDED, (Extended(index, hold, deadline_ms),))


def return_(state: Inventory, command: Return, index: int) -> Verdict:
    """SOLD -> fewer units, RETURNED when none is left.

    A reference seen before: RETURNED again, or KEY_REUSED if it was for something else. More units than are left:
    SHORTFALL, no change. RETURNED row: RETURNED again, whatever the reference. Any other row, or none: GONE.
    """
    hold, reference, quantity, restock = command
    row = state.rows.get(hold)
    if row is None or row.state not in {SOLD, RETURNED}:
        return GONE
    seen = state.returns.get(hold, {}).get(reference)
    if seen is not None:
        return _RETURNED if seen == (quantity, restock) else KEY_REUSED
    if row.state == RETURNED:
        return _RETURNED
    if row.returned + quantity > row.quantity:
        return SHORTFALL
    return Verdict(Outcome.RETURNED, (Returned(index, hold, reference, quantity, restock),))
