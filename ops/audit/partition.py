"""The audit of one partition of one ledger: it and its commands side by side, from the first record to the last.

What the records are about (stock, orders) is the subject's; the chain, the claims and the commands' digests are here.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from ops.audit.chain import Chain, Fate, Step
from ops.audit.commands import CommandReader, CommandRecord
from ops.audit.journey import Money, Records
from ops.audit.report import PartitionFigures
from ops.audit.seat import Seat
from ops.audit.source import Entry, Source, Stream
from ops.audit.tally import Tally
from ops.audit.violations import Findings, Kind
from streams.records import RULING, BatchCodec, Decided, Genesis, LedgerRecord, UndecodableError

PROGRESS_EVERY = 256


class Subject(Protocol):
    """What one kind of ledger is about: the auditor's own fold of it, and its own rules."""

    ledger: Stream
    commands: Stream
    batches: BatchCodec[Any]
    tally: Tally

    def details(self, decided: Decided) -> Any:
        """The record's details; UndecodableError if they are none."""

    def lawful(self, details: Any) -> bool:
        """The subject's part of R3; what breaks it is a finding."""

    def decision(self, decided: Decided, details: Any, command: CommandRecord | None, seat: Seat) -> None:
        """A DECIDED that counts. `command` is None if it was trimmed."""

    def ruling(self, decided: Decided, details: Any, command: CommandRecord | None) -> None:
        """A RULING that counts."""


class Options(NamedTuple):
    """What an audit should do besides. `anchors`: by partition, a ledger offset and the digest (hex) known of it.

    `book`, `records`: the provider's book of charges and the system of record, to compare the orders with.
    """

    keep: bool = False
    replay: bool = False
    anchors: dict[int, tuple[int, str]] = {}  # noqa: RUF012 - never written to
    progress: Callable[[int], None] | None = None
    """Called now and then with the number of ledger records read since the last call."""
    book: Sequence[Money] | None = None
    records: Records | None = None


class PartitionAudit:
    """Run it once; then its parts hold the result."""

    def __init__(self, source: Source, partition: int, subject: Subject, findings: Findings, options: Options) -> None:
        self.partition = partition
        self.findings = findings
        self.subject = subject
        self.tally = subject.tally
        self.chain = Chain(findings)
        self._source = source
        self._options = options
        self._commands = CommandReader(source, subject.commands, partition, subject.batches, findings)
        self._anchor = options.anchors.get(partition) if subject.ledger is Stream.LEDGER else None

    def run(self) -> None:
        """Read everything. SourceError if the source fails; what is wrong with the log goes to `findings`."""
        read = 0
        for entry in self._source.read(self.subject.ledger, self.partition):
            step = self.chain.step(entry)
            if step.fate is Fate.GENESIS and self.chain.genesis is not None:
                self._begin(self.chain.genesis)
            elif step.fate is Fate.CANDIDATE:
                self._candidate(entry, step)
            self._compare_anchor(entry)
            read += 1
            if self._options.progress and read % PROGRESS_EVERY == 0:
                self._options.progress(PROGRESS_EVERY)
            if self.chain.genesis is None:
                break
        self._commands.drain()
        if self._options.progress:
            self._options.progress(read % PROGRESS_EVERY)
        if read == 0:
            self.findings.add(Kind.GENESIS, "the ledger is empty: it was never begun, or its head is cut off")
        if self._anchor is not None and self.chain.genesis is not None and self._anchor[0] > self.chain.offset:
            self.findings.add(Kind.ANCHOR, f"the ledger ends before offset {self._anchor[0]}, which it once had")

    def _begin(self, genesis: Genesis) -> None:
        if genesis.partitions != self._source.partitions:
            text = f"genesis says {genesis.partitions} partitions, there are {self._source.partitions}"
            self.findings.add(Kind.GENESIS, text)
        self._commands.genesis(genesis)

    def _candidate(self, entry: Entry, step: Step) -> None:
        record, decided = step.record, step.decided
        if record is None or decided is None:
            return
        try:
            details = self.subject.details(decided)
        except UndecodableError as error:
            self.findings.add(Kind.UNDECODABLE, f"details: {error}")
            self.chain.reject()
            return
        if not self.subject.lawful(details):
            self.chain.reject()
            return
        self._accepted(entry, record, decided, details)

    def _accepted(self, entry: Entry, record: LedgerRecord, decided: Decided, details: Any) -> None:
        clk_before, chain = self.chain.clk, self.chain
        command = self._commands.at(decided.src)
        if command is None:
            self.tally.unchecked += 1
        else:
            self._against(command, decided, clk_before)
        if record.kind == RULING:
            self.subject.ruling(decided, details, command)
        else:
            seat = Seat(chain.epoch, chain.claim.worker if chain.claim else "")
            self.subject.decision(decided, details, command, seat)
        self.findings.index = -1
        chain.accept(record, decided)
        self.tally.decided(decided.src, entry.timestamp_ms, command.entry.timestamp_ms if command else -1)

    def _against(self, command: CommandRecord, decided: Decided, clk_before: int) -> None:
        """The header of a decision against its command record."""
        timestamp_ms = command.entry.timestamp_ms
        if decided.cmd_digest != command.digest:
            self.findings.add(Kind.COMMAND_DIGEST, "the commands record is not the one that was decided")
        if decided.clk != max(clk_before, timestamp_ms):
            due = max(clk_before, timestamp_ms)
            self.findings.add(Kind.CLOCK, f"clk {decided.clk}, should be {due}: record at {timestamp_ms}")
        genesis = self.chain.genesis
        if command.batch is not None and genesis is not None and command.batch.log_id != genesis.log_id:
            self.findings.add(
                Kind.FOREIGN_COMMAND, f"a commands record of log {command.batch.log_id.hex()} was decided"
            )

    def _compare_anchor(self, entry: Entry) -> None:
        if self._anchor is not None and entry.offset == self._anchor[0] and self.chain.digest.hex() != self._anchor[1]:
            self.findings.add(Kind.ANCHOR, f"digest {self.chain.digest.hex()}, known was {self._anchor[1]}")

    # --- results ------------------------------------------------------------------------------------------------------

    def figures(self) -> PartitionFigures:
        """Of the whole partition."""
        chain, tally = self.chain, self.tally
        return PartitionFigures(
            partition=self.partition,
            digest=chain.digest.hex(),
            offset=chain.offset,
            src=chain.src,
            epoch=chain.epoch,
            ledger_end=self._source.end(self.subject.ledger, self.partition),
            commands_start=self._commands.start,
            commands_end=self._commands.end,
            undecided=max(0, self._commands.end - 1 - max(chain.src, 0)),
            records=tally.records,
            claims=chain.claims,
            lost_claims=chain.lost_claims,
            stale=chain.stale,
            duplicates=chain.duplicates,
            unaccepted=chain.unaccepted,
            rulings=chain.rulings,
            unchecked=tally.unchecked,
            stall_ms=tally.stall_ms,
            stall_src=tally.stall_src,
        )
