"""The port to the log: append to a partition, read a stretch of it, ask where it begins and ends.

For tools, start-up and tests. The hot path has its own producers and consumers (streams/kafka.py), because it waits for
no single record. Adapters: streams/kafka_log.py (a Kafka cluster), streams/memory_log.py (a double, shipped).
"""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol


class UnknownTopicError(LookupError):
    """The log has no such topic or partition: run `turnstile topics apply`."""


class TrimmedError(LookupError):
    """The log keeps these records no more: start at its beginning."""


class AppendError(RuntimeError):
    """Whether the record was appended is unknown: look for it before you append it again."""


class StalledError(RuntimeError):
    """The log does not answer: see whether the broker is up."""


class Position(NamedTuple):
    """Where an appended record stands. `offset` is -1 when the log only knows that it was appended already."""

    offset: int
    timestamp_ms: int


class Record(NamedTuple):
    """A record as the log has it. `timestamp_ms` is log time: set by the log at the append."""

    offset: int
    timestamp_ms: int
    value: bytes


class Log(Protocol):
    """A set of topics, each of partitions 0..P-1, each a sequence of records with ascending offsets."""

    async def append(self, topic: str, partition: int, value: bytes, key: bytes | None = None) -> Position:
        """Append durably. UnknownTopicError; ValueError if too large; AppendError if the outcome is unknown."""

    def read(self, topic: str, partition: int, start: int, end: int | None = None) -> AsyncIterator[Record]:
        """Records with start <= offset < end, as far as the log reaches when this is called (end None: all of it).

        UnknownTopicError; TrimmedError if `start` is before the beginning; StalledError. Wrap it in
        contextlib.aclosing if you may leave before the last record.
        """

    async def beginning(self, topic: str, partition: int) -> int:
        """Offset of the first record that is kept; the end if there is none. UnknownTopicError."""

    async def end(self, topic: str, partition: int) -> int:
        """Offset that the next record will get. UnknownTopicError."""
