"""What became of the orders, by the order ledger: the demo's own count, apart from fold and auditor."""

from typing import NamedTuple

from domain.ids import order_text
from domain.order_changes import Buried, Stepped
from domain.orders import SETTLED
from ops.audit.source import Source, Stream
from streams.acceptance import Acceptance, Verdict
from streams.order_records import decode_details
from streams.records import decode_ledger


class Fate(NamedTuple):
    """Of one order at the end. Money in minor units."""

    state: str
    amount: int
    captured: int
    refunded: int
    attempts: int


class Orders:
    """All orders by id as text, one `fold` a partition."""

    def __init__(self) -> None:
        self.fates: dict[str, Fate] = {}

    def fold(self, source: Source, partition: int) -> None:
        """The whole order ledger of a partition, by the rules that all readers share."""
        acceptance = Acceptance()
        for offset, _, value in source.read(Stream.ORDER_LEDGER, partition):
            verdict, decided = acceptance.judge(offset, decode_ledger(value), value, lambda _: True)
            if verdict is not Verdict.ACCEPTED or decided is None:
                continue
            for run in decode_details(decided.details).changes:
                for change in run.items:
                    if isinstance(change, Stepped):
                        self._stepped(change)
                    elif isinstance(change, Buried):
                        self.fates[order_text(change.order)] = Fate("CANCELLED", 0, 0, 0, 0)

    def under_way(self) -> int:
        """How many are neither final nor at rest."""
        return sum(fate.state not in SETTLED for fate in self.fates.values())

    def _stepped(self, change: Stepped) -> None:
        core = change.core
        state = change.passed[-1] if change.passed else change.before
        self.fates[order_text(change.order)] = Fate(state, core.amount, core.captured, core.refunded, core.attempt)
