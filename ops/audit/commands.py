"""The commands of one partition, read in step with the ledger's src."""

from typing import Any, NamedTuple

from ops.audit.source import Entry, Source, Stream
from ops.audit.violations import Findings, Kind
from streams.records import Batch, BatchCodec, Genesis, UndecodableError, command_digest, decode_genesis


class CommandRecord(NamedTuple):
    """A commands record, decoded; `batch` is None if it does not decode."""

    entry: Entry
    digest: bytes
    batch: Batch[Any] | None


class CommandReader:
    """Streams the commands forward: `at` must be asked for ascending offsets."""

    def __init__(
        self, source: Source, stream: Stream, partition: int, batches: BatchCodec[Any], findings: Findings
    ) -> None:
        self.start = source.start(stream, partition)
        self.end = source.end(stream, partition)
        self._entries = source.read(stream, partition)
        self._batches = batches
        self._findings = findings
        self._next = self.start

    def genesis(self, expected: Genesis) -> None:
        """Compare the commands topic's first record, if it is still kept, with what the ledger's genesis says of it."""
        if self.start > 0 or self.end == 0:
            return
        entry = self._advance(0)
        if entry is None:
            return
        try:
            genesis = decode_genesis(entry.value)
        except UndecodableError as error:
            self._findings.add(Kind.GENESIS, f"commands offset 0: {error}")
            return
        if command_digest(entry.timestamp_ms, entry.value) != expected.cmd_digest:
            self._findings.add(Kind.GENESIS, "the commands topic is not the one that the ledger was made for")
        if genesis[:3] != expected[:3]:
            self._findings.add(
                Kind.GENESIS, f"the commands topic's genesis is {genesis[1:3]} of {genesis.log_id.hex()}"
            )

    def at(self, src: int) -> CommandRecord | None:
        """The record at `src`; None if it was trimmed, or if there is none (then that is a finding)."""
        if src < self.start:
            return None
        entry = self._advance(src)
        if entry is None:
            self._findings.add(Kind.COMMAND_MISSING, f"the commands topic has no record {src}")
            return None
        try:
            batch = self._batches.decode(entry.value)
        except UndecodableError:
            batch = None
        return CommandRecord(entry, command_digest(entry.timestamp_ms, entry.value), batch)

    def drain(self) -> None:
        """Look at what is not decided yet: it must be there without a gap."""
        while self._advance(self._next) is not None:
            pass

    def _advance(self, offset: int) -> Entry | None:
        for entry in self._entries:
            if entry.offset != self._next:
                self._findings.add(Kind.GAP, f"commands offset {entry.offset} where {self._next} must stand")
            self._next = entry.offset + 1
            if entry.offset == offset:
                return entry
            if entry.offset > offset:
                return None
        return None
