"""Builds a real log in memory with the product's own decider, and forges it again."""

from collections.abc import Callable, Iterable
from typing import Any

from domain.ids import hold_id
from domain.roles import Role
from domain.stock import Adjust, Open, Reserve, SetPolicy
from ops.audit.source import Entry, MemorySource, Stream
from streams.acceptance import Acceptance, Verdict
from streams.deciding import decide_record
from streams.fold import Fold
from streams.protocol import Yield
from streams.records import (
    CLAIM,
    DECIDED,
    DIGEST_BYTES,
    GENESIS,
    RULING,
    Claim,
    Decided,
    Genesis,
    LedgerRecord,
    command_digest,
    decode_decided,
    decode_ledger,
    digest,
    encode_body,
    encode_genesis,
    encode_ledger,
    encode_ledger_genesis,
)
from streams.stock_records import StockDetails, decode_details, encode_details
from tables.stock import StockFold

LOG_ID = bytes(range(16))
START_MS = 1_700_000_000_000
PRINT = b"f" * 8


def order(number: int) -> bytes:
    return bytes(2) + number.to_bytes(14, "big")


def customer(number: int) -> bytes:
    return (number + 1).to_bytes(8, "big")  # all zeros is nobody's in the compact rows


def ask(number: int, sku: str = "shoe", who: int | None = None, quantity: int = 1, **others: Any) -> Reserve:
    values = {"not_after_ms": START_MS + 30_000, "fingerprint": PRINT, **others}
    return Reserve(hold_id(order(number)), sku, customer(number if who is None else who), quantity, **values)


class HonestLog:
    """One partition: what `topics apply`, senders and one owner after another would have written."""

    streams = (Stream.LEDGER, Stream.COMMANDS)

    def __init__(self, partition: int = 0, partitions: int = 1, fold: Fold | None = None) -> None:
        self.partition = partition
        self.partitions = partitions
        self.fold = fold or StockFold()
        self.state = self.fold.new_state(partition)
        self.accepted = Acceptance()
        self.commands: list[Entry] = []
        self.ledger: list[Entry] = []
        self.now_ms = START_MS
        self._number = 0
        self._claims = 0
        genesis = Genesis(LOG_ID, partitions, partition)
        value = encode_genesis(genesis)
        self.commands.append(Entry(0, self.now_ms, value))
        self.append(encode_ledger_genesis(genesis, self.now_ms, value))

    def append(self, value: bytes) -> Verdict:
        """To the ledger, as anybody."""
        offset = len(self.ledger)
        self.ledger.append(Entry(offset, self.now_ms, value))
        verdict, _ = self.accepted.judge(offset, decode_ledger(value), value, lambda _: True)
        return verdict

    def claim(self, worker: str = "w1", reason: str = "test") -> bytes:
        """A new owner; its nonce."""
        self._claims += 1
        nonce = b"%08d" % self._claims
        value = claim_value(self.accepted.epoch + 1, nonce, worker, self.published, reason)
        assert self.append(value) is Verdict.CLAIMED
        return nonce

    @property
    def published(self) -> int:
        return max(0, len(self.ledger) - 3)

    def send(self, *commands: Any, role: Role = Role.GATEWAY, later_ms: int = 1, sender: str = "g1") -> int:
        """A commands record; its offset."""
        self._number += 1
        return self.send_raw(self.fold.batches.encode(LOG_ID, role, sender, self._number, list(commands)), later_ms)

    def send_raw(self, value: bytes, later_ms: int = 1) -> int:
        self.now_ms += later_ms
        self.commands.append(Entry(len(self.commands), self.now_ms, value))
        return len(self.commands) - 1

    def decide(self) -> Decided:
        """The owner decides the next record."""
        self.now_ms += 1
        entry = self.commands[self.accepted.src + 1]
        decision = decide_record(self.fold, self.state, self.accepted, entry, self.published)
        assert self.append(encode_ledger(decision.record)) is Verdict.ACCEPTED
        return decision.decided

    def zombie(self) -> "Zombie":
        """A copy of the owner, which will not hear that another one claimed."""
        return Zombie(self)

    def rule(self) -> None:
        """An operator decides the next record by hand."""
        src, timestamp_ms, value = self.commands[self.accepted.src + 1]
        clk = max(self.accepted.clk, timestamp_ms)
        outcomes = bytes((3,)) * len(self.fold.batches.decode(value).commands())
        bound = command_digest(timestamp_ms, value)
        details = encode_details([], [], [])
        decided = Decided(src, bound, clk, "", 0, outcomes, None, None, details, ("ann", "stuck"))
        self.fold.apply(self.state, decided)
        body = encode_body(decided)
        accepted = self.accepted
        chained = digest(accepted.digest, body)
        record = LedgerRecord(RULING, accepted.epoch, accepted.nonce, self.published, chained, body)
        assert self.append(encode_ledger(record)) is Verdict.ACCEPTED

    def do(self, *commands: Any, role: Role = Role.GATEWAY, later_ms: int = 1) -> Decided:
        """Send and decide."""
        self.send(*commands, role=role, later_ms=later_ms)
        return self.decide()

    def hand_over(self, to: str) -> None:
        """A planned hand-over: Yield, decided by the owner, then the other's CLAIM."""
        self.do(Yield(to, self.accepted.epoch, self.now_ms + 5_000), role=Role.WORKER)
        self.claim(to)

    def open_sale(self, sku: str = "shoe", units: int = 10, limit: int = 2, hold_ms: int = 60_000) -> None:
        """A pool with units, open."""
        policy = SetPolicy(sku, 0, 4_900, "EUR", limit, hold_ms, "k1")
        self.do(policy, Adjust(sku, units, "initial", ""), Open(sku, 1), role=Role.OPS)

    def source(self, ledger: Iterable[Entry] | None = None, commands: Iterable[Entry] | None = None) -> MemorySource:
        """The log as the auditor's source, or a changed copy of it."""
        return MemorySource(self.partitions, self.entries(ledger, commands))

    def entries(
        self, ledger: Iterable[Entry] | None = None, commands: Iterable[Entry] | None = None
    ) -> dict[tuple[Stream, int], list[Entry]]:
        """What a source is made of."""
        of_ledger, of_commands = self.streams
        return {
            (of_ledger, self.partition): list(self.ledger if ledger is None else ledger),
            (of_commands, self.partition): list(self.commands if commands is None else commands),
        }


class Zombie:
    """An owner that was cut off: decides on, and its records land in the ledger late."""

    def __init__(self, log: HonestLog) -> None:
        self._log = log
        self._accepted = log.accepted.fork()
        self._state = log.fold.new_state(log.partition)
        reader = Acceptance()
        for entry in log.ledger:
            verdict, decided = reader.judge(entry.offset, decode_ledger(entry.value), entry.value, lambda _: True)
            if verdict is Verdict.ACCEPTED and decided is not None:
                log.fold.apply(self._state, decided)

    def decide(self) -> bool:
        """Decide the next record, if there is one and no Yield was decided; append it."""
        log, accepted = self._log, self._accepted
        if accepted.src + 1 >= len(log.commands) or accepted.yielded_to is not None:
            return False
        decision = decide_record(log.fold, self._state, accepted, log.commands[accepted.src + 1], log.published)
        accepted.judge_decision(decision.record, decision.decided, lambda _: True)
        log.append(encode_ledger(decision.record))
        return True


def claim_value(epoch: int, nonce: bytes, worker: str, published: int = 0, reason: str = "test") -> bytes:
    body = encode_body(Claim(worker, f"{worker}@1", "code", waiting=True, reason=reason))
    return encode_ledger(LedgerRecord(CLAIM, epoch, nonce, published, bytes(DIGEST_BYTES), body))


# --- forging ----------------------------------------------------------------------------------------------------------


def renumber(entries: Iterable[Entry]) -> list[Entry]:
    return [entry._replace(offset=offset) for offset, entry in enumerate(entries)]


def rechain(entries: Iterable[Entry]) -> list[Entry]:
    """Renumber, and make every digest recompute: what a forger with all of the source can do."""
    chained: list[Entry] = []
    head = b""
    for offset, entry in enumerate(entries):
        record = decode_ledger(entry.value)
        value = entry.value
        if record.kind == CLAIM:
            head = digest(head, value)
        else:
            head = digest(record.body) if record.kind == GENESIS else digest(head, record.body)
            value = encode_ledger(record._replace(digest=head))
        chained.append(Entry(offset, entry.timestamp_ms, value))
    return chained


def with_record(entries: list[Entry], at: int, **fields: Any) -> list[Entry]:
    """The record at a ledger offset with other header fields or body."""
    changed = list(entries)
    record = decode_ledger(changed[at].value)._replace(**fields)
    changed[at] = changed[at]._replace(value=encode_ledger(record))
    return changed


def with_decided(entries: list[Entry], at: int, **fields: Any) -> list[Entry]:
    """The decision at a ledger offset with other fields, the chain made good again."""
    decided = decode_decided(decode_ledger(entries[at].value).body)._replace(**fields)
    return rechain(with_record(entries, at, body=encode_body(decided)))


def with_details(
    entries: list[Entry], at: int, change: Callable[[list, list, list], object], **fields: Any
) -> list[Entry]:
    """The decision at a ledger offset with other repeats, changes, totals: `change` edits the three lists."""
    details: StockDetails = decode_details(decode_decided(decode_ledger(entries[at].value).body).details)
    repeats, totals = list(details.repeats), list(details.totals)
    changes = [item for run in details.changes for item in run.items]
    change(repeats, changes, totals)
    return with_decided(entries, at, details=encode_details(repeats, changes, totals), **fields)


def find(log: HonestLog, src: int) -> int:
    """The ledger offset of the decision of a commands record."""
    for entry in log.ledger:
        record = decode_ledger(entry.value)
        if record.kind == DECIDED and decode_decided(record.body).src == src:
            return entry.offset
    raise LookupError(src)
