"""Faust in chunks, for the stateless agents: what one fetch brought of one partition is one event of the stream.

Faust's cost is per event (140-240 us), so a record of a chunk costs 8. Its bookkeeping of offsets is made for single
records (holes in a row of acked offsets are filled in, by guesses), so that of chunks is here: what is committed is
the end of an unbroken row of handled chunks, as they were handed over, counted anew after every rebalance. A killed
process goes on behind the last commit: at least once, nothing skipped.

This is the one module that overrides inner parts of Faust; tests/streams/test_chunks.py pins them by their source.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from faust.types import TP, ConsumerMessage

from streams.faust_app import LOGGER, QuietApp, common_settings

Chunk = tuple[TopicPartition, Sequence[ConsumerRecord]]
Take = Callable[[Sequence[Chunk]], Awaitable[None]]

COMMIT_S = 0.25
WAITING_MAX = 64
WAITING_BYTES_MAX = 16 * 1024 * 1024
"""Fetched and not handled yet: more is not fetched. Faust's own limit counts events, whatever their size."""
FETCH_BYTES_MAX = 1024 * 1024
"""A partition's share of a fetch. A larger record still comes, alone."""
FETCH_BYTES_MIN = 64 * 1024
"""Less waits for more, for the app's pace: a chunk costs the same whatever is in it, at the broker too."""
PACE_MS = 20
FULL_S = 0.005


class HoleError(RuntimeError):
    """Records would be skipped: fetched before a rebalance, used after it. Restart: reading goes on at the commit."""


class _Thread(AIOKafkaConsumerThread):
    """The thread that reads. One fetch is in flight a node, and Faust lets it wait 1.5 s on idle partitions."""

    logger = logging.getLogger(LOGGER)

    def _create_worker_consumer(self, transport: Transport) -> AIOKafkaConsumer:
        app: Any = transport.app
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = app.pace_ms  # noqa: SLF001 - Faust has no setting for it
        consumer._fetch_min_bytes = FETCH_BYTES_MIN  # noqa: SLF001
        return consumer


class ChunkConsumer(Consumer):
    """Hands over a fetched chunk as one message, whose value is the records and whose offset is the last one's."""

    logger = logging.getLogger(LOGGER)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.beat_s = monotonic()
        """When fetching came round last, for the watchdog."""
        self._handed: dict[TP, deque[ConsumerMessage]] = {}
        self._next: dict[TP, int] = {}

    async def at(self, source: TP) -> int:
        """Offset of the first record of a partition that is not handled yet. A request; KafkaError."""
        for message in self._handed.get(source, ()):
            if not message.acked:
                chunk: Any = message.value
                return int(chunk[0].offset)
        return int(await self.position(source) or 0)

    # --- overrides ------------------------------------------------------------------------------------------------

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,  # noqa: ASYNC109 - Faust's signature
    ) -> Mapping[TP, list[Any]]:
        self.beat_s = monotonic()
        while self._full():
            await asyncio.sleep(FULL_S)
            self.beat_s = monotonic()
        fetched = await super()._getmany(active_partitions=active_partitions, timeout=timeout)
        chunks = {}
        for source, records in fetched.items():
            if records and await self._follows(source, records):
                chunks[source] = [_chunk(records)]
        return chunks

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        message = super()._to_message(tp, record)
        self._handed.setdefault(tp, deque()).append(message)
        return message

    async def perform_seek(self) -> None:
        await super().perform_seek()
        self._handed.clear()
        self._next = {source: self._committed_offset[source] or 0 for source in self.assignment()}
        # Where nothing was committed yet, what was fetched and dropped would not be fetched again.
        fresh = [TopicPartition(*source) for source, offset in self._next.items() if not offset]
        if fresh:
            await self._thread.seek_to_beginning(*fresh)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Between the last offsets of two chunks there are the records of the second one."""

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        handed, offset = self._handed.get(tp, deque()), None
        while handed and handed[0].acked:
            offset = handed.popleft().offset + 1
        return offset

    # --- parts ------------------------------------------------------------------------------------------------------

    def _full(self) -> bool:
        waiting = [message for handed in self._handed.values() for message in handed if not message.acked]
        sizes = sum(message.serialized_value_size or 0 for message in waiting)
        return len(waiting) >= WAITING_MAX or sizes >= WAITING_BYTES_MAX

    async def _follows(self, source: TP, records: Sequence[ConsumerRecord]) -> bool:
        """Whether there is anything new in them; HoleError if something is missing before them.

        Our topics are dense: a hole is one that retention made, or a bug.
        """
        first, last, expected = records[0].offset, records[-1].offset, self._next.get(source, 0)
        if first > expected:
            (earliest,) = (await self.earliest_offsets(TopicPartition(*source))).values()
            if first > earliest:
                message = f"{source.topic} {source.partition} goes on at {first}, not at {expected}"
                raise HoleError(message)
        self._next[source] = max(expected, last + 1)
        return bool(last >= expected)


def _chunk(records: Sequence[ConsumerRecord]) -> ConsumerRecord:
    """What Faust takes for one record."""
    last = records[-1]
    return ConsumerRecord(
        topic=last.topic,
        partition=last.partition,
        offset=last.offset,
        timestamp=last.timestamp,
        timestamp_type=last.timestamp_type,
        key=None,
        value=records,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=sum(len(record.value or b"") for record in records),
        headers=(),
    )


class _Transport(Transport):
    Consumer = ChunkConsumer


class ChunkApp(QuietApp):
    """A Faust app whose streams get chunks, fetched every `pace_ms` at the most, or when FETCH_BYTES_MIN are there."""

    pace_ms = PACE_MS

    def _new_transport(self) -> Transport:
        return _Transport(self.conf.broker_consumer, self)


def chunk_app(
    servers: str,
    group: str,
    client_id: str,
    topics: Sequence[str],
    take: Take,
    *,
    gathers: bool = False,
    pace_ms: int = PACE_MS,
) -> ChunkApp:
    """An app in the consumer group `group` whose one agent awaits `take([(source, records)])` for each chunk.

    With `gathers`, for all that wait at the moment: for work that costs as much for many as for one.
    Chunks of a partition come in order, one at a time of all partitions. When `take` returns the chunk is handled, and
    committed within COMMIT_S; when it raises or is cancelled it is not, and comes again after a restart. One app id a
    role: agents of one group on other topics would split it. A new group begins at the start of the log.
    """
    app = ChunkApp(
        group,
        broker_commit_interval=COMMIT_S,
        broker_check_crcs=False,
        broker_max_poll_records=500,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        **common_settings(servers, client_id),
    )
    app.pace_ms = pace_ms

    async def agent(stream: faust.StreamT[Any]) -> None:
        stream.enable_acks = False  # else Faust acks what an exception or a cancellation left undone
        async for event in stream.events():
            message = event.message
            await take([(message.tp, message.value)])
            await stream.ack(event)

    async def gathering(stream: faust.StreamT[Any]) -> None:
        stream.enable_acks = False
        waiting: asyncio.Queue[Any] = asyncio.Queue()
        async with asyncio.TaskGroup() as reading:
            reading.create_task(_read(stream, waiting))
            while True:
                events = [await waiting.get()]
                while not waiting.empty():
                    events.append(waiting.get_nowait())
                await take([(event.message.tp, event.message.value) for event in events])
                for event in events:
                    await stream.ack(event)

    app.agent(app.topic(*topics, value_type=None), name="chunks")(gathering if gathers else agent)
    return app


async def _read(stream: faust.StreamT[Any], waiting: asyncio.Queue[Any]) -> None:
    async for event in stream.events():
        waiting.put_nowait(event)
