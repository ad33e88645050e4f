"""Where the auditor reads: the broker, an exported file, or lists in memory, behind one small port."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol


class Stream(StrEnum):
    """The topics that an audit reads, whatever namespace they are in: commands and ledger of stock and of orders."""

    COMMANDS = "commands"
    LEDGER = "ledger"
    ORDER_COMMANDS = "order-commands"
    ORDER_LEDGER = "order-ledger"


LEDGERS_FIRST = (Stream.LEDGER, Stream.ORDER_LEDGER, Stream.ORDER_COMMANDS, Stream.COMMANDS)
"""The order in which ends are taken: every decision within them has its command, every hold its order."""


class Entry(NamedTuple):
    """One record of a topic's partition, as Kafka has it."""

    offset: int
    timestamp_ms: int
    value: bytes


class SourceError(Exception):
    """The records cannot be read: the source is damaged, incomplete or away. The text says what to do."""


class Source(Protocol):
    """A fixed range of every partition: what is appended while the audit runs is not part of it."""

    partitions: int

    def start(self, stream: Stream, partition: int) -> int:
        """The first offset that is kept."""

    def end(self, stream: Stream, partition: int) -> int:
        """One more than the last offset to audit. Ends were taken in the order of LEDGERS_FIRST."""

    def orders_before(self, partition: int) -> int:
        """The order ledger's end before stock's was taken: an order that did not change since has its stock here."""

    def read(self, stream: Stream, partition: int) -> Iterator[Entry]:
        """The entries from `start` to `end`, in order, streamed. Several reads may run at the same time."""


class MemorySource:
    """Entries in lists: for tests and small logs."""

    def __init__(self, partitions: int, entries: Mapping[tuple[Stream, int], Sequence[Entry]]) -> None:
        self.partitions = partitions
        self._entries = entries

    def start(self, stream: Stream, partition: int) -> int:
        """The first entry's offset."""
        entries = self._entries.get((stream, partition), ())
        return entries[0].offset if entries else 0

    def end(self, stream: Stream, partition: int) -> int:
        """One more than the last entry's offset."""
        entries = self._entries.get((stream, partition), ())
        return entries[-1].offset + 1 if entries else 0

    def orders_before(self, partition: int) -> int:
        """The end: nothing is appended here."""
        return self.end(Stream.ORDER_LEDGER, partition)

    def read(self, stream: Stream, partition: int) -> Iterator[Entry]:
        """The list."""
        return iter(self._entries.get((stream, partition), ()))
