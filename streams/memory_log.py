"""The log in memory, behind the port of streams/log.py: for tests, simulations and trying things out."""

from collections.abc import AsyncIterator, Callable, Iterable

from streams.log import Position, Record, TrimmedError, UnknownTopicError
from streams.topics import RECORD_BYTES_MAX


class MemoryLog:
    """Topics of `partitions` partitions each, stamped by `clock_ms` as Kafka does with LogAppendTime."""

    def __init__(self, topics: Iterable[str], partitions: int, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms
        self._records: dict[tuple[str, int], list[Record]] = {
            (topic, partition): [] for topic in topics for partition in range(partitions)
        }
        self._beginnings = dict.fromkeys(self._records, 0)

    async def append(self, topic: str, partition: int, value: bytes, key: bytes | None = None) -> Position:
        """Append at once. `key` matters to compaction only, which does not happen here."""
        records = self._of(topic, partition)
        size = len(value) + len(key or b"")
        if size > RECORD_BYTES_MAX:
            message = f"a record of {size} bytes, more than {RECORD_BYTES_MAX}"
            raise ValueError(message)
        record = Record(len(records), self._clock_ms(), value)
        records.append(record)
        return Position(record.offset, record.timestamp_ms)

    async def read(self, topic: str, partition: int, start: int, end: int | None = None) -> AsyncIterator[Record]:
        """Records [start, end) of those that are there now."""
        records = self._of(topic, partition)
        stop = len(records) if end is None else min(end, len(records))
        beginning = self._beginnings[topic, partition]
        if start < min(beginning, stop):
            message = f"{topic}[{partition}] begins at {beginning}, not at {start}"
            raise TrimmedError(message)
        for record in records[start:stop]:
            yield record

    async def beginning(self, topic: str, partition: int) -> int:
        """0, or where `trim` has cut."""
        self._of(topic, partition)
        return self._beginnings[topic, partition]

    async def end(self, topic: str, partition: int) -> int:
        """The number of records ever appended."""
        return len(self._of(topic, partition))

    def trim(self, topic: str, partition: int, before: int) -> None:
        """Forget the records below `before`, as retention does."""
        if before > len(self._of(topic, partition)):
            message = f"{topic}[{partition}] ends before {before}"
            raise ValueError(message)
        self._beginnings[topic, partition] = max(before, self._beginnings[topic, partition])

    def _of(self, topic: str, partition: int) -> list[Record]:
        try:
            return self._records[topic, partition]
        except KeyError:
            message = f"no partition {partition} of {topic}"
            raise UnknownTopicError(message) from None
