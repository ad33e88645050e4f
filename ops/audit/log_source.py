"""The log behind the port of streams/log.py (a broker, or the one in memory) as the auditor's source.

The auditor is plain synchronous code; this source has an event loop of its own, so call it from no coroutine (from a
program with a loop: `asyncio.to_thread`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType
from typing import Any, Self, TypeVar

from ops.audit.source import LEDGERS_FIRST, Entry, SourceError, Stream
from streams.kafka_log import KafkaLog
from streams.log import Log, Record, StalledError, TrimmedError, UnknownTopicError
from streams.records import UndecodableError, decode_genesis_body, decode_ledger
from streams.topics import Topics

CHUNK = 500
"""Records taken from the port at a time: the loop is entered once for all of them."""

T = TypeVar("T")
Opener = Callable[[], AbstractAsyncContextManager[Log]]


class LogSource:
    """The log from its start to the ends at the moment of opening: a context manager; SourceError if it is away.

    `partitions` = 0: as many as the GENESIS of ledger partition 0 says.
    """

    def __init__(self, log: Log | Opener, topics: Topics, partitions: int = 0) -> None:
        self.partitions = partitions
        self._context: AbstractAsyncContextManager[Log] = log() if callable(log) else nullcontext(log)
        self._names = {
            Stream.COMMANDS: topics.stock_commands.name,
            Stream.LEDGER: topics.stock_ledger.name,
            Stream.ORDER_COMMANDS: topics.order_commands.name,
            Stream.ORDER_LEDGER: topics.order_ledger.name,
        }
        self._runner = asyncio.Runner()  # at Ctrl-C it cancels what runs, so that consumers are stopped
        self._ranges: dict[tuple[Stream, int], tuple[int, int]] = {}
        self._orders_before: dict[int, int] = {}

    def __enter__(self) -> Self:
        try:
            self._log = self._run(self._context.__aenter__())
            try:
                self._run(self._look())
            except BaseException:
                self._runner.run(self._leave())
                raise
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._leave())
        finally:
            self._runner.close()

    def start(self, stream: Stream, partition: int) -> int:
        """The first offset that the log keeps."""
        return self._ranges[stream, partition][0]

    def end(self, stream: Stream, partition: int) -> int:
        """The end when the source was opened."""
        return self._ranges[stream, partition][1]

    def orders_before(self, partition: int) -> int:
        """The order ledger's end before any other was taken."""
        return self._orders_before[partition]

    def read(self, stream: Stream, partition: int) -> Iterator[Entry]:
        """Read and yield; SourceError if the log stalls, or trims what is being read."""
        start, end = self._ranges[stream, partition]
        if start >= end:
            return
        records = self._log.read(self._names[stream], partition, start, end)
        try:
            while chunk := self._run(_take(records)):
                for record in chunk:
                    yield Entry(*record)
        finally:
            self._runner.run(_close(records))

    def _run(self, step: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(step)
        except (StalledError, TrimmedError, UnknownTopicError) as error:
            message = f"the log cannot be read: {error}"
            raise SourceError(message) from error

    async def _leave(self) -> None:
        await self._context.__aexit__(None, None, None)

    async def _look(self) -> None:
        """Ends of the ledgers first: so every decision within them has its command within the commands' ends."""
        self.partitions = self.partitions or await self._count()
        orders = self._names[Stream.ORDER_LEDGER]
        for partition in range(self.partitions):
            self._orders_before[partition] = await self._log.end(orders, partition)
        for stream in LEDGERS_FIRST:
            for partition in range(self.partitions):
                name = self._names[stream]
                end = await self._log.end(name, partition)
                self._ranges[stream, partition] = (min(end, await self._log.beginning(name, partition)), end)

    async def _count(self) -> int:
        name = self._names[Stream.LEDGER]
        start = await self._log.beginning(name, 0)
        async for record in self._log.read(name, 0, start, start + 1):
            try:
                return decode_genesis_body(decode_ledger(record.value).body).partitions
            except UndecodableError:
                break
        message = (
            f"{name} does not begin with a GENESIS record: run `turnstile topics apply`, or say how many partitions"
        )
        raise SourceError(message)


def kafka_source(servers: str, topics: Topics, partitions: int = 0) -> LogSource:
    """The log at a broker."""
    return LogSource(lambda: KafkaLog(servers, "turnstile-verify"), topics, partitions)


async def _take(records: AsyncIterator[Record]) -> list[Record]:
    chunk = []
    async for record in records:
        chunk.append(record)
        if len(chunk) == CHUNK:
            break
    return chunk


async def _close(records: AsyncIterator[Record]) -> None:
    await records.aclose()  # type: ignore[attr-defined]
