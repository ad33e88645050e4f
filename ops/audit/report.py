"""What an audit found: violations, figures, answers."""

from typing import NamedTuple

from domain.ids import Receipt
from domain.outcomes import Outcome
from ops.audit.violations import Kind, Violation


class Answer(NamedTuple):
    """What one command came to when it was first decided. Grants carry the grant."""

    outcome: Outcome
    receipt: Receipt
    sku: str
    quantity: int
    unit_price: int
    currency: str
    deadline_ms: int


class Moment(NamedTuple):
    """An accepted decision in time: its record's and its command's time in the log (-1: the command was trimmed)."""

    src: int
    decided_ms: int
    appended_ms: int


class PoolFigures(NamedTuple):
    """The counters of a SKU at the end, by the auditor's own count. `granted` is in units, from the beginning."""

    sku: str
    partition: int
    received: int
    available: int
    held: int
    sold: int
    written_off: int
    granted: int


class PartitionFigures(NamedTuple):
    """One ledger partition. Ends are exclusive; `digest` is that of the last accepted record."""

    partition: int
    digest: str
    offset: int
    """The last ledger record that was read."""
    src: int
    epoch: int
    ledger_end: int
    commands_start: int
    commands_end: int
    undecided: int
    records: int
    claims: int
    lost_claims: int
    stale: int
    duplicates: int
    unaccepted: int
    rulings: int
    unchecked: int
    """Decisions whose command record is not kept any more: only what the ledger alone shows was checked."""
    stall_ms: int
    """Longest time without an accepted decision while a command waited, by the log's times."""
    stall_src: int
    """The command that waited then."""


class OrderFigures(NamedTuple):
    """All orders at the end. Money is in minor units, whatever the currency; `states` counts by public state.

    `moving`: neither final nor sold and at rest. Book figures are -1 where no book was given.
    """

    states: dict[str, int]
    moving: int
    captured: int
    refunded: int
    book_captured: int = -1
    book_refunded: int = -1
    book_voided: int = -1


class Report(NamedTuple):
    """The result of an audit. `violations` are in the order of partition and offset, some of each kind; all counted."""

    log_id: str
    partitions: list[PartitionFigures]
    pools: list[PoolFigures]
    violations: list[Violation]
    counts: dict[Kind, int]
    outcomes: dict[Outcome, int]
    """First answers, of commands of every kind."""
    repeats: int
    decisions: dict[bytes, list[Answer]]
    """By hold id, in order, if they were kept: one each, unless a refusal was forgotten or never remembered."""
    moments: dict[int, list[Moment]]
    """By partition, if they were kept."""
    order_partitions: list[PartitionFigures] = []  # noqa: RUF012 - replaced, never written to
    orders: OrderFigures = OrderFigures({}, 0, 0, 0)

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.counts

    @property
    def undecided(self) -> int:
        """Commands records that no accepted decision stands for yet."""
        return sum(figures.undecided for figures in (*self.partitions, *self.order_partitions))

    def count_of(self, *kinds: Kind) -> int:
        """How many violations of these kinds."""
        return sum(self.counts.get(kind, 0) for kind in kinds)
