"""Acceptance: the pure function of a ledger's prefix that says which of its records count (rules R1-R6).

Every reader of a ledger shares it, so all readers agree on one accepted history, whoever wrote what and when. Not
accepted = no effect anywhere. docs/guarantees.md gives the rules and says why they suffice.
"""

from collections.abc import Callable
from copy import copy
from enum import Enum

from domain.outcomes import InvariantViolatedError, Outcome
from streams.records import (
    CLAIM,
    DECIDED,
    GENESIS,
    NONCE_BYTES,
    RULING,
    Claim,
    Decided,
    Genesis,
    LedgerRecord,
    UndecodableError,
    decode_claim,
    decode_decided,
    decode_genesis_body,
    digest,
)

RING = 1024
"""Records behind the head whose bodies are still compared with duplicates: 16 windows of 64 unacked records."""
NO_EPOCH = 0


class Verdict(Enum):
    """What became of a ledger record. Only the first three have an effect."""

    GENESIS = "genesis"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    CLAIM_LOST = "claim-lost"
    DUPLICATE = "duplicate"
    DIVERGENT = "divergent"
    STALE = "stale"
    AHEAD = "ahead"
    BROKEN = "broken"


class WrongLogError(InvariantViolatedError):
    """The ledger is not the one that this program was started for: do not fold it. Check topics and log id."""


Lawful = Callable[[Decided], bool]


class Acceptance:
    """The acceptance state after a prefix of one ledger partition."""

    __slots__ = (
        "claim",
        "claims_here",
        "clk",
        "cmd_digest",
        "decisions",
        "digest",
        "epoch",
        "excused",
        "genesis",
        "nonce",
        "offset",
        "pin",
        "published",
        "ring",
        "ruled_epoch",
        "src",
        "yielded_to",
    )

    def __init__(self) -> None:
        self.offset = -1
        self.epoch = NO_EPOCH
        self.nonce = bytes(NONCE_BYTES)
        self.src = -1
        self.cmd_digest = b""
        self.clk = 0
        self.digest = b""
        self.decisions = 0
        """Commands decided so far: how long a fold of all this takes."""
        self.published = -1
        self.genesis: Genesis | None = None
        self.claim: Claim | None = None
        self.claims_here = 0
        """CLAIMs since the last decision that found src + 1 waiting and did not follow a Yield (W9: three park)."""
        self.yielded_to: str | None = None
        """Set by an effective Yield of this epoch, which accepts nothing more."""
        self.pin = ""
        self.excused = b""
        """Nonce of an owner whose RULING did not count: it went on from another state, and decides otherwise since."""
        self.ruled_epoch = NO_EPOCH
        """Epoch of the last accepted RULING: owners before it may have decided that command, and so go on otherwise."""
        self.ring: list[tuple[int, int, bytes, bytes]] = [(-1, 0, b"", b"")] * RING
        """(src, kind, digest before, digest after): enough to know the body again, in whatever process."""

    def fork(self) -> "Acceptance":
        """An independent copy: `sent` starts as one of `accepted`."""
        twin = copy(self)
        twin.ring = list(self.ring)
        return twin

    def judge(self, offset: int, record: LedgerRecord, value: bytes, lawful: Lawful) -> tuple[Verdict, Decided | None]:
        """The next record of the ledger, decoded: advance by it if it counts. `lawful` is the fold's part of R3.

        Raises InvariantViolatedError when `offset` is not the next one, WrongLogError for a missing genesis.
        """
        if offset != self.offset + 1:
            message = f"ledger offset {offset} after {self.offset}"
            raise InvariantViolatedError(message)
        if offset == 0:
            self._begin(record)
            return Verdict.GENESIS, None
        self.offset = offset
        if record.kind == CLAIM:
            return self._judge_claim(record, value), None
        if record.kind not in {DECIDED, RULING}:
            return Verdict.BROKEN, None
        try:
            decided = decode_decided(record.body)
        except UndecodableError:
            return self._judge_stale(record) or Verdict.BROKEN, None
        return self.judge_decision(record, decided, lawful), decided

    def judge_decision(self, record: LedgerRecord, decided: Decided, lawful: Lawful) -> Verdict:
        """R2 to R6 for a DECIDED or RULING whose offset is accounted for; advances if accepted."""
        if decided.src <= self.src:
            return self._judge_duplicate(record, decided)
        stale = self._judge_stale(record)
        if stale is not None:
            if record.kind == RULING:
                self.excused = record.nonce
            return stale
        if self.yielded_to is not None:
            return Verdict.STALE
        if decided.src != self.src + 1 or decided.clk < self.clk or not self.chains(record) or not lawful(decided):
            return Verdict.BROKEN
        self.advance(record, decided)
        return Verdict.ACCEPTED

    def chains(self, record: LedgerRecord) -> bool:
        """Whether the record's digest recomputes from the accepted one before it."""
        return record.digest == digest(self.digest, record.body)

    def advance(self, record: LedgerRecord, decided: Decided) -> None:
        """The record counts: the head moves. The caller has judged it."""
        self.ring[decided.src % RING] = (decided.src, record.kind, self.digest, record.digest)
        self.src = decided.src
        self.cmd_digest = decided.cmd_digest
        self.clk = decided.clk
        self.decisions += len(decided.outcomes)
        self.digest = record.digest
        self.claims_here = 0
        self.published = max(self.published, record.published)
        self.yielded_to = decided.yielded_to
        if record.kind == RULING:
            self.ruled_epoch = record.epoch
        if decided.pin is not None:
            self.pin = decided.pin

    def _begin(self, record: LedgerRecord) -> None:
        if record.kind != GENESIS or record.digest != digest(record.body):
            message = "the ledger does not begin with a GENESIS record: run `turnstile topics apply` on new topics"
            raise WrongLogError(message)
        self.genesis = decode_genesis_body(record.body)
        self.offset = 0
        self.src = 0
        self.cmd_digest = self.genesis.cmd_digest
        self.digest = record.digest

    def _judge_claim(self, record: LedgerRecord, value: bytes) -> Verdict:
        """R1."""
        if record.epoch != self.epoch + 1:
            return Verdict.CLAIM_LOST
        try:
            claim = decode_claim(record.body)
        except UndecodableError:
            return Verdict.BROKEN
        if claim.waiting and self.yielded_to is None:
            self.claims_here += 1
        self.epoch = record.epoch
        self.nonce = record.nonce
        self.claim = claim
        self.yielded_to = None
        self.digest = digest(self.digest, value)
        return Verdict.CLAIMED

    def _judge_stale(self, record: LedgerRecord) -> Verdict | None:
        """R4 and R5."""
        if record.epoch < self.epoch or (record.epoch == self.epoch and record.nonce != self.nonce):
            return Verdict.STALE
        if record.epoch > self.epoch:
            return Verdict.AHEAD
        return None

    def _judge_duplicate(self, record: LedgerRecord, decided: Decided) -> Verdict:
        """R2. Another body than the accepted one shows that decide is not deterministic: an alarm, still no effect.

        Not compared: a ruling (an operator's, so another body by intent), what was decided on one side of a ruling
        only, and records with a Yield, whose outcome depends on the epoch that decides it.
        """
        src, kind, before, after = self.ring[decided.src % RING]
        if record.kind == RULING:
            self.excused = record.nonce
        same = src == decided.src and kind == record.kind == DECIDED
        comparable = same and record.epoch >= self.ruled_epoch and record.nonce != self.excused
        if comparable and after != digest(before, record.body) and not _epoch_dependent(decided):
            return Verdict.DIVERGENT
        return Verdict.DUPLICATE


def _epoch_dependent(decided: Decided) -> bool:
    return Outcome.YIELDED in decided.outcomes or Outcome.NOT_YIELDED in decided.outcomes
