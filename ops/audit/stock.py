"""The auditor's own fold: what each change of an accepted record does, and whether the row's state allowed it.

A change that is not allowed is reported and still applied as far as it goes: it is in the accepted history, and what
comes after it is judged on that history.
"""

from heapq import heappop, heappush

from domain.stock import (
    Adjusted,
    Answered,
    Change,
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
from ops.audit.limits import ENDED_DROP_MS, ENDED_KEEP_MS, SWEEP_MAX
from ops.audit.pools import Hold, Phase, Pool, Refusal, State, conserved
from ops.audit.refused import Refused as RefusedKeys
from ops.audit.violations import Findings, Kind


class Stock:
    """State of one partition after the last accepted record."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.pools: dict[str, Pool] = {}
        self.holds: dict[bytes, Hold] = {}
        self.refused = RefusedKeys()
        self.src = 0
        self.clk = 0
        self.rules_version = 1
        self.expired = 0
        """Holds that this record has expired so far."""
        self.tombstones: dict[bytes, int] = {}
        """By customer: rows of releases that came before any grant."""
        self.touched: dict[str, Pool] = {}
        self._deadlines: list[tuple[int, bytes]] = []
        self._endings: list[tuple[int, bytes]] = []
        self._apply = {
            Granted: self._granted,
            Refused: self._refused,
            Sold: self._sold,
            Released: self._released,
            Expired: self._expire,
            Extended: self._extended,
            Returned: self._returned,
            Adjusted: self._adjusted,
            PolicySet: self._policy_set,
            Opened: self._opened,
            Closed: self._closed,
            RulesSet: self._rules_set,
            Answered: self._answered,
        }

    # --- a record ---------------------------------------------------------------------------------------------------

    def begin(self, src: int, clk: int) -> None:
        """An accepted record starts."""
        self.src = src
        self.clk = clk
        self.touched = {}
        self.expired = 0
        self.refused.turn(clk)
        while self._endings and self._endings[0][0] <= clk - ENDED_DROP_MS:
            _, hold_id = heappop(self._endings)
            hold = self.holds.get(hold_id)
            if hold is not None and 0 <= hold.ended_ms <= clk - ENDED_DROP_MS:
                self._drop(hold_id, hold)

    def apply(self, change: Change) -> None:
        """One change, in the record's order."""
        self._apply[type(change)](change)  # type: ignore[operator]

    def lawful(self, totals: list[Totals]) -> bool:
        """The totals' part of R3, before the record is folded: each conserves, each sequence is one more."""
        for total in totals:
            pool = self.pools.get(total.sku)
            if not conserved(total):
                self._findings.add(Kind.CONSERVATION, f"{total} does not conserve units")
                return False
            if total.sequence != (pool.sequence if pool else 0) + 1:
                was = pool.sequence if pool else 0
                self._findings.add(Kind.SEQUENCE, f"{total.sku}: sequence {total.sequence} after {was}")
                return False
        return True

    def end(self, totals: list[Totals], *, swept: bool) -> None:
        """The record ends: its totals against the own counters. `swept`: it had to sweep what was due."""
        told = {total.sku: total for total in totals}
        if len(told) != len(totals):
            self._findings.add(Kind.TOTALS, "a SKU has two totals in one record")
        for sku, pool in self.touched.items():
            if sku not in told:
                pool.sequence += 1
                self._findings.add(Kind.TOTALS, f"{sku} changed, but the record has no totals of it")
            elif not conserved(pool.totals()):
                self._findings.add(Kind.CONSERVATION, f"by own count {pool.totals()} does not conserve units")
        for sku, total in told.items():
            self._compare(sku, total)
        if swept and self.expired < SWEEP_MAX:
            self._nothing_due()

    def _compare(self, sku: str, total: Totals) -> None:
        pool = self.pools.get(sku)
        if pool is None:
            self._findings.add(Kind.TOTALS, f"totals of {sku!r}, which does not exist")
            return
        pool.sequence += 1
        if pool.totals() != total:
            self._findings.add(Kind.TOTALS, f"the record says {total}, by own count it is {pool.totals()}")
            pool.received, pool.available, pool.held, pool.sold, pool.written_off = total[1:6]

    def _nothing_due(self) -> None:
        """A record that swept less than it may has left nothing that was due."""
        heap = self._deadlines
        while heap and heap[0][0] <= self.clk:
            deadline_ms, hold_id = heap[0]
            hold = self.holds.get(hold_id)
            if hold is not None and hold.state is State.HELD and hold.due_ms == deadline_ms:
                late = self.clk - deadline_ms
                self._findings.add(Kind.LATE_EXPIRY, f"hold {hold_id.hex()} was due {late} ms ago and is not expired")
            heappop(heap)

    # --- changes ----------------------------------------------------------------------------------------------------

    def _granted(self, change: Granted) -> None:
        found = self._findings
        pool = self._pool(change.sku)
        known = self.holds.get(change.hold)
        if known is not None and not self._forgettable(known):
            found.add(Kind.DOUBLE_GRANT, f"hold {change.hold.hex()} is granted again: it is {known.state.name}")
            self._take_back(known)
        if change.quantity <= 0:
            found.add(Kind.CHANGE, f"a grant of {change.quantity} units")
        if change.quantity > pool.available:
            found.add(Kind.OVERSELL, f"{change.quantity} of {pool.sku} granted, {pool.available} available")
        if pool.starved is not None:
            src, index, passed_over = pool.starved
            found.add(
                Kind.FIFO, f"granted, while {passed_over.hex()} was refused before it at {src}:{index}, though eligible"
            )
        if known is not None:
            self._drop(change.hold, known)
        self.refused.forget(change.hold)
        hold = Hold(pool, change.customer, change.quantity, change.fingerprint)
        hold.price, hold.currency = change.unit_price, change.currency
        hold.deadline_ms = hold.due_ms = change.deadline_ms
        hold.granted_ms = self.clk
        hold.offset, hold.index = self.src, change.index
        self.holds[change.hold] = hold
        entry = (change.deadline_ms, change.hold)
        heappush(pool.deadlines, entry)
        heappush(self._deadlines, entry)
        pool.available -= change.quantity
        pool.held += change.quantity
        pool.granted += change.quantity
        pool.count(change.customer, change.quantity)
        self.touched[pool.sku] = pool

    def _refused(self, change: Refused) -> None:
        known = self.holds.get(change.hold)
        if known is not None and self._forgettable(known):
            self._drop(change.hold, known)
        refusal = Refusal(change.outcome, change.fingerprint, self.src, change.index, self.clk)
        self.refused.add(change.hold, refusal)

    def _sold(self, change: Sold) -> None:
        hold = self._hold(change.hold, State.HELD, State.EXPIRED)
        if hold is None or hold.pool is None:
            return
        pool = hold.pool
        if hold.state is State.HELD:
            pool.held -= hold.left
        elif hold.state is State.EXPIRED:
            self._sell_again(pool, hold)
        else:
            return
        pool.sold += hold.left
        hold.state = State.SOLD
        hold.ended_ms = -1
        self.touched[pool.sku] = pool

    def _sell_again(self, pool: Pool, hold: Hold) -> None:
        """A hold that had expired is committed: only out of what is available, and within the limit."""
        if hold.quantity > pool.available:
            text = f"{hold.quantity} of {pool.sku} sold to an expired hold, {pool.available} available"
            self._findings.add(Kind.OVERSELL, text)
        pool.available -= hold.quantity
        pool.count(hold.customer, hold.quantity)
        if pool.counts.get(hold.customer, 0) > pool.limit:
            self._findings.add(Kind.LIMIT, f"an expired hold is sold over the limit of {pool.limit}")

    def _released(self, change: Released) -> None:
        known = self.holds.get(change.hold)
        if known is None or (known.ended_ms >= 0 and self._forgettable(known)):
            if known is not None:
                self._drop(change.hold, known)
            self.tombstones[change.customer] = self.tombstones.get(change.customer, 0) + 1
            tombstone = Hold(None, change.customer, 0, b"")
            tombstone.state = State.RELEASED
            tombstone.offset, tombstone.index = self.src, change.index
            self.holds[change.hold] = tombstone
            self._ended(change.hold, tombstone)
            return
        hold = self._hold(change.hold, State.HELD, State.SOLD, State.EXPIRED)
        if hold is None:
            return
        self._take_back(hold)
        hold.state = State.RELEASED
        self._ended(change.hold, hold)

    def _expire(self, change: Expired) -> None:
        self.expired += 1
        hold = self._hold(change.hold, State.HELD)
        if hold is None:
            return
        if hold.due_ms > self.clk:
            early = hold.due_ms - self.clk
            self._findings.add(Kind.EARLY_EXPIRY, f"hold {change.hold.hex()} expired {early} ms before its deadline")
        self._take_back(hold)
        hold.state = State.EXPIRED
        self._ended(change.hold, hold)

    def _extended(self, change: Extended) -> None:
        hold = self._hold(change.hold, State.HELD)
        if hold is None or hold.pool is None:
            return
        hold.due_ms = change.deadline_ms
        entry = (change.deadline_ms, change.hold)
        heappush(hold.pool.deadlines, entry)
        heappush(self._deadlines, entry)

    def _returned(self, change: Returned) -> None:
        hold = self._hold(change.hold, State.SOLD)
        if hold is None or hold.pool is None:
            return
        pool = hold.pool
        if not 0 < change.quantity <= hold.left:
            self._findings.add(Kind.TRANSITION, f"{change.quantity} units returned of {hold.left} that are out")
        if hold.returns is None:
            hold.returns = {}
        if change.reference in hold.returns:
            self._findings.add(Kind.TRANSITION, f"return {change.reference} of {change.hold.hex()} for the second time")
        hold.returns[change.reference] = (change.quantity, change.restock)
        hold.returned += change.quantity
        pool.sold -= change.quantity
        if change.restock:
            pool.available += change.quantity
        else:
            pool.written_off += change.quantity
        pool.count(hold.customer, -change.quantity)
        self.touched[pool.sku] = pool
        if hold.left <= 0:
            hold.state = State.RETURNED
            self._ended(change.hold, hold)

    def _adjusted(self, change: Adjusted) -> None:
        pool = self._pool(change.sku)
        if change.reference in pool.adjustments:
            self._findings.add(Kind.TRANSITION, f"adjustment {change.reference!r} of {pool.sku} for the second time")
        if pool.available + change.delta < 0:
            self._findings.add(Kind.OVERSELL, f"{-change.delta} of {pool.sku} taken away, {pool.available} available")
        pool.adjustments[change.reference] = (change.delta, change.shortfall)
        pool.received += change.delta
        pool.available += change.delta
        self.touched[pool.sku] = pool

    def _policy_set(self, change: PolicySet) -> None:
        pool = self.pools.get(change.sku)
        if pool is None:
            pool = self.pools[change.sku] = Pool(change.sku)
        self._next_version(pool, change.version)
        pool.price, pool.currency, pool.limit = change.price, change.currency, change.limit
        pool.hold_ms, pool.customer_key = change.hold_ms, change.customer_key

    def _opened(self, change: Opened) -> None:
        pool = self._pool(change.sku)
        self._next_version(pool, change.version)
        pool.phase = Phase.OPEN

    def _closed(self, change: Closed) -> None:
        pool = self._pool(change.sku)
        self._next_version(pool, change.version)
        pool.phase = Phase.CLOSED

    def _answered(self, change: Answered) -> None:
        """Whether it was right to say so is the decision's matter; it changes nothing."""

    def _rules_set(self, change: RulesSet) -> None:
        self.rules_version = change.version

    # --- parts ------------------------------------------------------------------------------------------------------

    def _next_version(self, pool: Pool, version: int) -> None:
        if version != pool.version + 1:
            self._findings.add(Kind.TRANSITION, f"policy of {pool.sku}: version {version} after {pool.version}")
        pool.version = version
        self.touched[pool.sku] = pool

    def _pool(self, sku: str) -> Pool:
        pool = self.pools.get(sku)
        if pool is None:
            self._findings.add(Kind.CHANGE, f"a change of {sku!r}, which does not exist")
            pool = self.pools[sku] = Pool(sku)
        return pool

    def _hold(self, hold_id: bytes, *states: State) -> Hold | None:
        """The row, whose state must be one of these."""
        hold = self.holds.get(hold_id)
        if hold is None or hold.state not in states:
            names = " or ".join(state.name for state in states)
            now = hold.state.name if hold else "unknown"
            self._findings.add(Kind.TRANSITION, f"hold {hold_id.hex()} is {now}, must be {names}")
            return None
        return hold

    def _take_back(self, hold: Hold) -> None:
        """What a hold or sale still binds becomes available."""
        pool = hold.pool
        if pool is None or hold.state not in {State.HELD, State.SOLD}:
            return
        if hold.state is State.HELD:
            pool.held -= hold.left
        else:
            pool.sold -= hold.left
        pool.available += hold.left
        pool.count(hold.customer, -hold.left)
        self.touched[pool.sku] = pool

    def _drop(self, hold_id: bytes, hold: Hold) -> None:
        """Forget a row."""
        del self.holds[hold_id]
        if hold.pool is None:
            left = self.tombstones[hold.customer] - 1
            if left:
                self.tombstones[hold.customer] = left
            else:
                del self.tombstones[hold.customer]

    def _ended(self, hold_id: bytes, hold: Hold) -> None:
        hold.ended_ms = self.clk
        heappush(self._endings, (self.clk, hold_id))

    def _forgettable(self, hold: Hold) -> bool:
        """Whether the product may have forgotten the row by now."""
        return 0 <= hold.ended_ms <= self.clk - ENDED_KEEP_MS

    def remembered(self, hold_id: bytes) -> Hold | None:
        """The row, unless it is old enough to be forgotten."""
        hold = self.holds.get(hold_id)
        return None if hold is None or self._forgettable(hold) else hold
