"""The catalogue of what the auditor can find wrong, and where it found it."""

from enum import StrEnum
from typing import NamedTuple

KEPT_PER_KIND = 50
"""Of each kind this many are kept with their text; all are counted. A broken log has one cause, not a million."""


class Kind(StrEnum):
    """What rule is broken. The first of a log is the one to look at: others may follow from it."""

    # The log itself.
    GENESIS = "genesis"
    GAP = "gap"
    HEADER = "header"
    UNDECODABLE = "undecodable"
    CHAIN = "chain"
    SRC = "src"
    EPOCH = "epoch"
    NONCE = "nonce"
    UNCLAIMED = "unclaimed"
    DUPLICATE = "duplicate"
    DIVERGENT = "divergent"
    AFTER_YIELD = "after-yield"
    PUBLISHED = "published"
    ANCHOR = "anchor"
    SIZE = "size"
    # A decision against its command record.
    COMMAND_MISSING = "command-missing"
    COMMAND_DIGEST = "command-digest"
    FOREIGN_COMMAND = "foreign-command"
    CLOCK = "clock"
    ANSWERS = "answers"
    YIELD = "yield"
    RULING = "ruling"
    # Stock.
    FORBIDDEN = "forbidden"
    MALFORMED = "malformed"
    OUTCOME = "outcome"
    CHANGE = "change"
    TRANSITION = "transition"
    NOT_YOURS = "not-yours"
    OVERSELL = "oversell"
    UNDERSELL = "undersell"
    FIFO = "fifo"
    LIMIT = "limit"
    PRICE = "price"
    DEADLINE = "deadline"
    DOUBLE_GRANT = "double-grant"
    REPEAT = "repeat"
    FORGOTTEN = "forgotten"
    EARLY_EXPIRY = "early-expiry"
    LATE_EXPIRY = "late-expiry"
    CONSERVATION = "conservation"
    SEQUENCE = "sequence"
    TOTALS = "totals"
    RULES = "rules"
    REPLAY = "replay"
    # Orders.
    REASON = "reason"
    MONEY = "money"
    # Orders against stock, the provider's book and SQL.
    UNSOLD = "unsold"
    STRAY_HOLD = "stray-hold"
    UNPAID = "unpaid"
    STRAY_MONEY = "stray-money"
    DOUBLE_CHARGE = "double-charge"
    STUCK = "stuck"
    SQL = "sql"


class Violation(NamedTuple):
    """One broken rule. `offset` is the ledger's, `index` the command's place in its batch; -1 where there is none."""

    kind: Kind
    partition: int
    offset: int
    src: int
    index: int  # type: ignore[assignment]  # hides tuple.index
    text: str

    def __str__(self) -> str:
        if self.partition < 0:  # of an order, a charge or a row: its text says which
            return f"{self.kind}: {self.text}"
        at = f"partition {self.partition}, ledger offset {self.offset}"
        if self.src >= 0:
            at += f", src {self.src}"
        if self.index >= 0:
            at += f", index {self.index}"
        return f"{self.kind}: {at}: {self.text}"


class Findings:
    """Collects the violations of one partition; remembers where the audit stands, so that checks need not say."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.offset = -1
        self.src = -1
        self.index = -1
        self.kept: list[Violation] = []
        self.counts: dict[Kind, int] = {}
        self._last: dict[Kind, tuple[int, int]] = {}

    def at(self, offset: int, src: int = -1) -> None:
        """The ledger record that is looked at now."""
        self.offset = offset
        self.src = src
        self.index = -1

    def add(self, kind: Kind, text: str) -> None:
        """A rule is broken here: once at each place, also where two checks see it."""
        if self._last.get(kind) == (self.offset, self.index):
            return
        self._last[kind] = (self.offset, self.index)
        self.add_once(kind, text)

    def add_once(self, kind: Kind, text: str) -> None:
        """A rule is broken, and not by a record: each call counts."""
        count = self.counts.get(kind, 0)
        self.counts[kind] = count + 1
        if count < KEPT_PER_KIND:
            self.kept.append(Violation(kind, self.partition, self.offset, self.src, self.index, text))
