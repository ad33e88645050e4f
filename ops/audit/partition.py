"""The audit of one partition: ledger and commands side by side, from the first record to the last."""

from collections.abc import Callable
from typing import NamedTuple

from ops.audit.chain import Chain, Fate, Step
from ops.audit.commands import CommandReader, CommandRecord
from ops.audit.decision import Judge
from ops.audit.replay import Replay
from ops.audit.report import PartitionFigures, PoolFigures
from ops.audit.seat import Seat
from ops.audit.source import Entry, Source, Stream
from ops.audit.stock import Stock
from ops.audit.tally import Tally
from ops.audit.violations import Findings, Kind
from streams.records import RULING, Decided, Genesis, LedgerRecord, UndecodableError
from streams.stock_records import StockDetails, decode_details

PROGRESS_EVERY = 256


class Options(NamedTuple):
    """What an audit should do besides. `anchors`: by partition, a ledger offset and the digest (hex) known of it."""

    keep: bool = False
    replay: bool = False
    anchors: dict[int, tuple[int, str]] = {}  # noqa: RUF012 - never written to
    progress: Callable[[int], None] | None = None
    """Called now and then with the number of ledger records read since the last call."""


class PartitionAudit:
    """Run it once; then its parts hold the result."""

    def __init__(self, source: Source, partition: int, options: Options) -> None:
        self.partition = partition
        self.findings = Findings(partition)
        self.stock = Stock(self.findings)
        self.tally = Tally(partition, keeps=options.keep)
        self.chain = Chain(self.findings)
        self._source = source
        self._options = options
        self._commands = CommandReader(source, partition, self.findings)
        self._judge = Judge(self.findings, self.stock, self.tally)
        self._replay = Replay(partition, self.findings) if options.replay else None
        self._anchor = options.anchors.get(partition)

    def run(self) -> None:
        """Read everything. SourceError if the source fails; what is wrong with the log goes to `findings`."""
        read = 0
        for entry in self._source.read(Stream.LEDGER, self.partition):
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
            details = decode_details(decided.details)
        except UndecodableError as error:
            self.findings.add(Kind.UNDECODABLE, f"details: {error}")
            self.chain.reject()
            return
        if not self.stock.lawful(details.totals):
            self.chain.reject()
            return
        self._accepted(entry, record, decided, details)

    def _accepted(self, entry: Entry, record: LedgerRecord, decided: Decided, details: StockDetails) -> None:
        clk_before, chain = self.chain.clk, self.chain
        command = self._commands.at(decided.src)
        if command is None:
            self.tally.unchecked += 1
        else:
            self._against(command, decided, clk_before)
        if record.kind == RULING:
            self._judge.ruling(decided, details, command)
        else:
            seat = Seat(chain.epoch, chain.claim.worker if chain.claim else "")
            self._judge.decision(decided, details, command, seat)
        self.findings.index = -1
        if self._replay is not None:
            self._replay.decision(record.kind, decided, command)
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
            ledger_end=self._source.end(Stream.LEDGER, self.partition),
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

    def pools(self) -> list[PoolFigures]:
        """Of each SKU, by own count."""
        return [
            PoolFigures(
                sku,
                self.partition,
                pool.received,
                pool.available,
                pool.held,
                pool.sold,
                pool.written_off,
                pool.granted,
            )
            for sku, pool in sorted(self.stock.pools.items())
        ]
