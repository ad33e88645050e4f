"""Who holds and who bought, folded from the ledger's changes: the demo's own count, apart from fold and auditor."""

from typing import NamedTuple

from domain.ids import ORDER_ID_BYTES, Receipt
from domain.outcomes import REPEATED, Outcome
from domain.stock import (
    Adjusted,
    Change,
    Expired,
    Granted,
    PolicySet,
    Released,
    Reserve,
    Returned,
    Sold,
)
from ops.demo.history import Decision, History

NOT_REMEMBERED = frozenset({Outcome.TOO_LATE, Outcome.BUSY})
"""The key stays a new question: the client asks again."""
HELD, SOLD = "held", "sold"


class Answered(NamedTuple):
    """The first decision on a key. `grant` if it was one."""

    outcome: Outcome
    receipt: Receipt
    at_ms: int
    grant: Granted | None


class Sales:
    """Counts over all partitions, one `fold` each."""

    def __init__(self) -> None:
        self.answered: dict[bytes, Answered] = {}
        """By order id."""
        self.received: dict[str, int] = {}
        self.sold: dict[str, int] = {}
        self.oversold = 0
        """Units held and sold beyond those received, at the worst moment, over all SKUs."""
        self.double_holds = 0
        """Grants beyond a customer's limit, and grants of a key that had one."""
        self.other_repeats = 0
        """Repeats that were decided otherwise than the first."""
        self.decisions = 0
        self._rows: dict[bytes, tuple[Granted, str]] = {}
        self._limit: dict[str, int] = {}
        self._taken: dict[str, int] = {}
        self._worst: dict[str, int] = {}
        self._per_customer: dict[tuple[str, bytes], int] = {}

    def fold(self, history: History) -> None:
        """All accepted decisions of a partition."""
        for decision in history.decisions:
            self.decisions += len(decision.decided.outcomes)
            grants = {}
            for run in decision.details.changes:
                for change in run.items:
                    self._change(change)
                    if isinstance(change, Granted):
                        grants[change.index] = change
            self._answers(history.partition, decision, grants)
            for sku, taken in self._taken.items():
                self._worst[sku] = max(self._worst.get(sku, 0), taken - self.received.get(sku, 0))
        self.oversold = sum(self._worst.values())

    def held(self) -> int:
        """Grants that are still held."""
        return sum(1 for _, state in self._rows.values() if state == HELD)

    def _answers(self, partition: int, decision: Decision, grants: dict[int, Granted]) -> None:
        commands = decision.batch.commands() if decision.batch else []
        for index, (command, code) in enumerate(zip(commands, decision.decided.outcomes, strict=False)):
            outcome = Outcome(code & ~REPEATED)
            if not isinstance(command, Reserve) or outcome in NOT_REMEMBERED:
                continue
            order = command.hold[:ORDER_ID_BYTES]
            first = self.answered.get(order)
            if code & REPEATED:
                self.other_repeats += first is None or first.outcome is not outcome
            elif first is not None and first.grant is not None:
                self.double_holds += outcome is Outcome.GRANTED
            else:
                receipt = Receipt(partition, decision.decided.src, index)
                self.answered[order] = Answered(outcome, receipt, decision.at_ms, grants.get(index))

    def _change(self, change: Change) -> None:
        match change:
            case Granted():
                self._rows[change.hold] = (change, HELD)
                self._take(change, change.quantity)
                if self._per_customer[change.sku, change.customer] > self._limit.get(change.sku, 1):
                    self.double_holds += 1
            case Sold():
                self._sell(change.hold)
            case Released() | Expired():
                self._let_go(change.hold)
            case Returned():
                grant, _ = self._rows[change.hold]
                self._take(grant, -change.quantity)
            case Adjusted():
                self.received[change.sku] = self.received.get(change.sku, 0) + change.delta
            case PolicySet():
                self._limit[change.sku] = change.limit
            case _:
                pass

    def _sell(self, hold: bytes) -> None:
        """HELD -> SOLD, or EXPIRED -> SOLD, which takes the units again."""
        row = self._rows.get(hold)
        if row is None:
            return
        grant, state = row
        if state not in {HELD, SOLD}:
            self._take(grant, grant.quantity)
        self._rows[hold] = (grant, SOLD)
        self.sold[grant.sku] = self.sold.get(grant.sku, 0) + grant.quantity

    def _let_go(self, hold: bytes) -> None:
        row = self._rows.get(hold)
        if row is None:  # the tombstone of a key that nobody saw
            return
        grant, state = row
        if state in {HELD, SOLD}:
            self._take(grant, -grant.quantity)
        if state == SOLD:
            self.sold[grant.sku] -= grant.quantity
        self._rows[hold] = (grant, "gone")

    def _take(self, grant: Granted, quantity: int) -> None:
        key = (grant.sku, grant.customer)
        self._per_customer[key] = self._per_customer.get(key, 0) + quantity
        self._taken[grant.sku] = self._taken.get(grant.sku, 0) + quantity
