"""The tables behind the fold as plain dicts that are cheap to copy, and a copy of a whole small state."""

from domain.expiry import Deadlines, Endings
from domain.order_state import Orders
from domain.outcomes import InvariantViolatedError
from domain.pool import Pool, Terms
from domain.refusals import Refusal
from domain.reservation import NO_TERMS, Row, RowState
from domain.state import Inventory
from tables.orders import OrderFold


class PlainRows(dict):
    """domain.reservation.Rows."""

    def hold(self, hold, customer, fingerprint, terms, quantity, offset, position, deadline_ms):
        if hold in self:
            raise InvariantViolatedError
        self[hold] = Row(
            hold, RowState.HELD, customer, fingerprint, terms, quantity, 0, offset, position, deadline_ms, deadline_ms
        )

    def bury(self, hold, customer, offset, position, ended_ms):
        if hold in self:
            raise InvariantViolatedError
        self[hold] = Row(hold, RowState.RELEASED, customer, b"", NO_TERMS, 0, 0, offset, position, 0, ended_ms)

    def update(self, row, state, returned, moment_ms):
        self[row.hold] = row._replace(state=state, returned=returned, moment_ms=moment_ms)

    def remove(self, row):
        del self[row.hold]

    def __iter__(self):
        return iter(self.values())


class PlainCounts(dict):
    """domain.reservation.Counts: held and sold units by (customer, pool key)."""

    def get(self, customer, pool_key):
        return sum(super().get((customer, pool_key), (0, 0)))

    def add_held(self, customer, pool_key, units):
        self._add(customer, pool_key, units, 0)

    def add_sold(self, customer, pool_key, units):
        self._add(customer, pool_key, 0, units)

    def _add(self, customer, pool_key, more_held, more_sold):
        held, sold = super().get((customer, pool_key), (0, 0))
        held, sold = held + more_held, sold + more_sold
        if held < 0 or sold < 0:
            raise InvariantViolatedError
        self[customer, pool_key] = (held, sold)
        if not held and not sold:
            del self[customer, pool_key]

    def __iter__(self):
        return ((customer, key, *units) for (customer, key), units in self.items())


class PlainRefusals(dict):
    """domain.refusals.Refusals: the refusal and its generation by hold."""

    number = 0

    @property
    def count(self):
        return len(self)

    def turn(self, number, keep):
        self.number = number
        for hold in [hold for hold, (_, born) in self.items() if born <= number - keep]:
            del self[hold]

    def get(self, hold):
        found = super().get(hold)
        return found and found[0]

    def add(self, hold, outcome, fingerprint, offset, position):
        if hold in self:
            raise InvariantViolatedError
        self[hold] = (Refusal(hold, outcome, fingerprint, offset, position), self.number)

    def __iter__(self):
        return (refusal for refusal, _ in self.values())


def plain_state(rules) -> Inventory:
    return Inventory(PlainRows(), PlainCounts(), PlainRefusals(), rules)


def copied(state: Inventory) -> Inventory:
    """A state that may change without the other (all of it, but for what never changes)."""
    new = Inventory(
        PlainRows(dict.items(state.rows)),
        PlainCounts(dict.items(state.counts)),
        PlainRefusals(dict.items(state.refusals)),
        state.rules_by_version,
    )
    new.refusals.number = state.refusals.number
    for name in ("rules_version", "rules", "src", "clk", "tombstone_count"):
        setattr(new, name, getattr(state, name))
    new.tombstones = state.tombstones.copy()
    new.returns = {hold: seen.copy() for hold, seen in state.returns.items()}
    new.pools = {sku: _pool(pool) for sku, pool in state.pools.items()}
    new.terms = [Terms(new.pools[terms.pool.sku], *terms[1:]) for terms in state.terms]
    new.endings = Endings()
    new.endings._chunks.extend((at, holds[:]) for at, holds in state.endings._chunks)
    new.deadlines = Deadlines()
    new.deadlines.times = state.deadlines.times.copy()
    new.deadlines.live = state.deadlines.live.copy()
    new.deadlines._openers = {at: terms[:] for at, terms in state.deadlines._openers.items()}
    return new


def _pool(pool: Pool) -> Pool:
    new = Pool.__new__(Pool)
    for name in Pool.__slots__:
        setattr(new, name, getattr(pool, name))
    new.adjustments = pool.adjustments.copy()
    new.deadlines = type(pool.deadlines)()
    new.deadlines.times = pool.deadlines.times.copy()
    new.deadlines.live = pool.deadlines.live.copy()
    new.deadlines.holds = {at: holds[:] for at, holds in pool.deadlines.holds.items()}
    return new


class PlainOrders(dict):
    """domain.order_row.Rows."""

    def put(self, row):
        self[row.order] = row

    bury = put

    def remove(self, order):
        del self[order]

    def __iter__(self):
        return iter(self.values())

    def __deepcopy__(self, _):
        return PlainOrders(self)


class PlainOrderFold(OrderFold):
    """An order fold whose states are cheap to copy."""

    def new_state(self, partition):
        return Orders(PlainOrders(), partition, self._rules)
