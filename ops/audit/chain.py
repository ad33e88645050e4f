"""The auditor's own reading of a ledger: which records count (R1-R6), and what no honest writer could have written.

Written from docs/guarantees.md without a look into the product's acceptance. Where the product only drops a record
(stale, duplicate, lost claim), the auditor also asks whether somebody honest could have written it at that place.
"""

from collections import OrderedDict
from enum import Enum
from typing import NamedTuple

from domain.outcomes import Outcome
from ops.audit.source import Entry
from ops.audit.violations import Findings, Kind
from streams.records import (
    CLAIM,
    DECIDED,
    DECIDED_BYTES_MAX,
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
    decode_ledger,
    digest,
)

NO_NONCE = bytes(NONCE_BYTES)
RECENT = 1024
"""Accepted bodies that duplicates are compared with, as docs/guarantees.md says of every reader."""


class Fate(Enum):
    """What a record came to."""

    GENESIS = "genesis"
    CLAIM = "claim"
    CANDIDATE = "candidate"
    """Everything but the fold's totals speaks for it: `accept` or `reject` it."""
    LOST_CLAIM = "lost claim"
    STALE = "stale"
    DUPLICATE = "duplicate"
    BROKEN = "broken"


class Step(NamedTuple):
    """One ledger record, judged and decoded."""

    fate: Fate
    record: LedgerRecord | None = None
    decided: Decided | None = None


class Incarnation:
    """One owner's time: from its accepted CLAIM on, as far as anything of it lies in the ledger."""

    __slots__ = ("apart", "epoch", "published", "src")

    def __init__(self, epoch: int, src: int, published: int) -> None:
        self.epoch = epoch
        self.src = src
        self.published = published
        self.apart = False
        """A later owner ruled by hand, or this one's ruling came too late: what it decides after that, it decides on
        another state.
        """


class Chain:
    """Walks a ledger partition from its first record."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.genesis: Genesis | None = None
        self.digest = b""
        self.offset = -1
        self.epoch = 0
        self.nonce = NO_NONCE
        self.src = -1
        self.clk = 0
        self.claim: Claim | None = None
        self.ended = False
        """A Yield took effect, or the epoch's record broke the chain: nothing more of this epoch counts."""
        self.yielded = False
        self.claims = 0
        self.lost_claims = 0
        self.stale = 0
        self.duplicates = 0
        self.rulings = 0
        self.unaccepted = 0
        """Records of an epoch after its first broken one: reported once, counted here."""
        self._incarnations: dict[bytes, Incarnation] = {}
        self._recent: OrderedDict[int, tuple[int, bytes]] = OrderedDict()

    def step(self, entry: Entry) -> Step:
        """Judge the next ledger entry. A CANDIDATE changes nothing until `accept`."""
        offset, _, value = entry
        expected = self.offset + 1
        self._findings.at(offset)
        if offset != expected and expected > 0:
            self._findings.add(Kind.GAP, f"ledger offset {offset} where {expected} must stand")
        self.offset = offset
        try:
            record = decode_ledger(value)
        except UndecodableError as error:
            self._findings.add(Kind.UNDECODABLE, str(error))
            return Step(Fate.BROKEN)
        if expected == 0:
            return self._begin(offset, record)
        if record.kind == CLAIM:
            return self._claim(record, value)
        if record.kind == GENESIS:
            self._findings.add(Kind.GENESIS, "a second genesis record")
            return Step(Fate.BROKEN, record)
        return self._decision(record)

    def accept(self, record: LedgerRecord, decided: Decided) -> None:
        """The candidate counts."""
        self.src = decided.src
        self.clk = max(self.clk, decided.clk)
        self.digest = record.digest
        if record.kind == RULING:
            self.rulings += 1
            for nonce, incarnation in self._incarnations.items():
                incarnation.apart |= nonce != self.nonce
        if decided.yielded_to is not None:
            self.yielded = self.ended = True
        self._recent[decided.src] = (record.kind, digest(record.body))
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def reject(self) -> None:
        """The candidate's totals are broken (R6): no reader goes past it in this epoch."""
        self.ended = True

    def _begin(self, offset: int, record: LedgerRecord) -> Step:
        found = self._findings
        if record.kind != GENESIS or offset != 0:
            found.add(Kind.GENESIS, "the ledger does not begin with its genesis record: its head is cut off")
            self.ended = True
            return Step(Fate.BROKEN, record)
        try:
            self.genesis = decode_genesis_body(record.body)
        except UndecodableError as error:
            found.add(Kind.GENESIS, f"genesis does not decode: {error}")
            return Step(Fate.BROKEN, record)
        if record.digest != digest(record.body):
            found.add(Kind.CHAIN, "the genesis record's digest does not recompute")
        if (record.epoch, record.nonce, record.published) != (0, NO_NONCE, 0):
            found.add(Kind.HEADER, f"genesis with epoch {record.epoch}, published {record.published}")
        if self.genesis.partition != found.partition:
            found.add(Kind.GENESIS, f"genesis of partition {self.genesis.partition}")
        self.digest = record.digest
        self.src = 0
        return Step(Fate.GENESIS, record)

    def _claim(self, record: LedgerRecord, value: bytes) -> Step:
        """R1, and what a CLAIM can look like: an honest claimant has folded all before it, or loses to who has."""
        found = self._findings
        if record.epoch > self.epoch + 1 or record.epoch < 1:
            found.add(Kind.EPOCH, f"CLAIM of epoch {record.epoch} while {self.epoch} is current")
            return Step(Fate.BROKEN, record)
        if record.epoch <= self.epoch:
            self.lost_claims += 1
            if record.nonce in self._incarnations:
                found.add(Kind.NONCE, f"the nonce of epoch {self._incarnations[record.nonce].epoch} claims again")
            return Step(Fate.LOST_CLAIM, record)
        try:
            claim = decode_claim(record.body)
        except UndecodableError as error:
            found.add(Kind.UNDECODABLE, f"CLAIM: {error}")
            return Step(Fate.BROKEN, record)
        if record.nonce in self._incarnations or record.nonce == NO_NONCE:
            found.add(Kind.NONCE, f"CLAIM of epoch {record.epoch} with a nonce that was used before")
        if not -1 <= record.published < self.offset:
            found.add(Kind.PUBLISHED, f"CLAIM says published {record.published} at offset {self.offset}")
        self.claims += 1
        self.epoch = record.epoch
        self.nonce = record.nonce
        self.claim = claim
        self.ended = self.yielded = False
        self.digest = digest(self.digest, value)
        self._incarnations[record.nonce] = Incarnation(record.epoch, self.src, -1)
        return Step(Fate.CLAIM, record)

    def _decision(self, record: LedgerRecord) -> Step:
        found = self._findings
        try:
            decided = decode_decided(record.body)
        except UndecodableError as error:
            found.add(Kind.UNDECODABLE, f"decision: {error}")
            self.ended |= record.epoch == self.epoch
            return Step(Fate.BROKEN, record)
        found.at(self.offset, decided.src)
        current = record.epoch == self.epoch and record.nonce == self.nonce
        if not self._written_by_a_claimant(record):
            return Step(Fate.STALE, record, decided)
        if self.ended and current and not self.yielded:
            self.unaccepted += 1
            return Step(Fate.BROKEN, record, decided)
        self._follows_its_own(record, decided)
        if decided.src <= self.src:
            return self._duplicate(record, decided)
        if not current:
            self.stale += 1
            return Step(Fate.STALE, record, decided)
        return self._current(record, decided)

    def _written_by_a_claimant(self, record: LedgerRecord) -> bool:
        """R5, and its other half: an incarnation decides only after its own accepted CLAIM."""
        incarnation = self._incarnations.get(record.nonce)
        if incarnation is not None and incarnation.epoch == record.epoch:
            return True
        self._findings.add(Kind.UNCLAIMED, f"a decision of epoch {record.epoch} whose writer never claimed it")
        return False

    def _follows_its_own(self, record: LedgerRecord, decided: Decided) -> None:
        """Within one incarnation src ascends by one and the published watermark never falls, counted or not."""
        own = self._incarnations[record.nonce]
        if decided.src <= own.src:
            self._findings.add(
                Kind.DUPLICATE, f"one owner decided src {decided.src} again after {own.src}: was its process copied?"
            )
        own.src = max(own.src, decided.src)
        if not -1 <= record.published < self.offset:
            self._findings.add(Kind.PUBLISHED, f"published {record.published} at offset {self.offset}")
        elif record.published < own.published:
            self._findings.add(Kind.PUBLISHED, f"published fell from {own.published} to {record.published}")
        own.published = max(own.published, record.published)

    def _duplicate(self, record: LedgerRecord, decided: Decided) -> Step:
        """R2. The same src decided by another owner must read the same: decide is deterministic.

        Not where a Yield was decided, whose outcome depends on the epoch, nor where a ruling lies between the two.
        """
        self.duplicates += 1
        own = self._incarnations[record.nonce]
        own.apart |= record.kind == RULING
        kind, body = self._recent.get(decided.src, (record.kind, b""))
        tells_epochs = Outcome.YIELDED in decided.outcomes or Outcome.NOT_YIELDED in decided.outcomes
        comparable = kind == record.kind == DECIDED and not own.apart
        if body and comparable and not tells_epochs and body != digest(record.body):
            self._findings.add(Kind.DIVERGENT, f"src {decided.src} decided in two ways")
        return Step(Fate.DUPLICATE, record, decided)

    def _current(self, record: LedgerRecord, decided: Decided) -> Step:
        """R3 but for the totals, R6."""
        found = self._findings
        if self.yielded:
            found.add(Kind.AFTER_YIELD, f"the owner of epoch {self.epoch} decided after its Yield")
            return Step(Fate.STALE, record, decided)
        broken = Step(Fate.BROKEN, record, decided)
        if record.digest != digest(self.digest, record.body):
            found.add(Kind.CHAIN, "the digest does not recompute from the accepted record before")
            self.ended = True
            return broken
        if decided.src != self.src + 1:
            found.add(Kind.SRC, f"src {decided.src} after {self.src}")
            self.ended = True
            return broken
        if decided.clk < self.clk:
            found.add(Kind.CLOCK, f"clk {decided.clk} after {self.clk}")
            self.ended = True
            return broken
        if len(record.body) > DECIDED_BYTES_MAX:
            found.add(Kind.SIZE, f"{len(record.body)} bytes, more than {DECIDED_BYTES_MAX}")
        return Step(Fate.CANDIDATE, record, decided)
