"""What chunks override and assume of Faust: a version that changes it fails here, not in production.

The behaviour itself is tests/integration/test_duty.py's, on a real broker.
"""

import asyncio
import hashlib
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from faust import App, Stream
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer
from faust.types import TP

from streams.chunks import WAITING_BYTES_MAX, WAITING_MAX, ChunkConsumer, HoleError, chunk_app

SOURCE = TP("stock.events", 1)
READ = {
    ThreadDelegateConsumer._getmany: "effe7dba",
    BaseConsumer._wait_next_records: "881cccf8",
    BaseConsumer.getmany: "75337a29",
    BaseConsumer._drain_messages: "c25c498f",
    BaseConsumer._add_gap: "7130ed19",
    BaseConsumer._new_offset: "cd5711e9",
    BaseConsumer._filter_committable_offsets: "a2433374",
    BaseConsumer.ack: "d37f1b8a",
    BaseConsumer.perform_seek: "175fdda3",
    BaseConsumer.on_partitions_revoked: "95764d59",
    Consumer._to_message: "02eddd3d",
    Consumer._new_consumer_thread: "fc3fb245",
    AIOKafkaConsumerThread._create_worker_consumer: "89e6d171",
    AIOKafkaConsumerThread.seek_to_beginning: "44d5e0dc",
    App._new_transport: "29108464",
    App._on_partitions_revoked: "f21b5112",
    Recovery._resume_streams: "ef61c97c",
    Stream._c_aiter: "e79cc68b",
    Stream._py_aiter: "75e8b5ae",
    Stream.ack: "8825cf9d",
}
"""Methods that are overridden, or called, or whose ways the overrides rely on, with a digest of their source."""


def source_digest(method: Callable[..., Any]) -> str:
    return hashlib.blake2b(inspect.getsource(method).encode(), digest_size=4).hexdigest()


@pytest.mark.parametrize("method", READ, ids=lambda method: method.__qualname__)
def test_a_part_of_faust_that_chunks_rely_on_is_as_it_was_when_it_was_read(method):
    read = "read it again, see whether streams/chunks.py still fits, run tests/integration/test_duty.py"
    assert source_digest(method) == READ[method], f"{method.__qualname__} has changed: {read}"


async def nothing(*_: object) -> None:
    """Take a chunk."""


def records(first: int, last: int, size: int = 3) -> list[ConsumerRecord]:
    return [
        ConsumerRecord(
            topic=SOURCE.topic,
            partition=SOURCE.partition,
            offset=offset,
            timestamp=1_000 + offset,
            timestamp_type=1,
            key=None,
            value=b"v" * size,
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=size,
            headers=(),
        )
        for offset in range(first, last + 1)
    ]


class Fetching:
    """A ChunkConsumer whose thread hands over what a test says; neither a broker nor a thread runs."""

    def __init__(self) -> None:
        app = chunk_app("127.0.0.1:9092", "turnstile.relay", "r1@abc", [SOURCE.topic], nothing)
        app.topics._acking_topics.add(SOURCE.topic)
        self.consumer: ChunkConsumer = app.consumer
        self.consumer._thread.thread_loop.close()
        self.consumer._thread = self
        self.consumer.app.flow_control.resume()
        self.consumer.resume_flow()
        self.fetched: list[ConsumerRecord] = []
        self.committed: int | None = None
        self.earliest = 0
        self.sought: list[TP] = []

    # The thread's part.

    async def getmany(self, *_: object) -> dict[TP, list[ConsumerRecord]]:
        fetched, self.fetched = self.fetched, []
        return {SOURCE: fetched} if fetched else {}

    async def seek_to_committed(self) -> dict[TP, int | None]:
        return {SOURCE: self.committed}

    async def seek_to_beginning(self, *sources: TP) -> None:
        self.sought += sources

    async def earliest_offsets(self, *sources: TP) -> dict[TP, int]:
        return dict.fromkeys(sources, self.earliest)

    def assignment(self) -> set[TP]:
        return {SOURCE}

    def highwater(self, source: TP) -> int:
        return 0

    # What a test does.

    async def fetch(self, first: int, last: int, size: int = 3) -> Any:
        """The message that comes of a fetch, None if none does."""
        self.fetched = records(first, last, size)
        self.consumer._active_partitions = {SOURCE}
        messages = [message async for _, message in self.consumer.getmany(1.0)]
        assert len(messages) <= 1
        return messages[0] if messages else None

    def done(self, message: Any) -> None:
        self.consumer.ack(message)

    def committable(self) -> int | None:
        return self.consumer._filter_committable_offsets([SOURCE]).get(SOURCE)


@pytest.fixture
async def fetching():
    """A consumer that has just been assigned its partition; nothing was committed yet."""
    found = Fetching()
    await found.consumer.perform_seek()
    return found


async def test_what_one_fetch_brought_of_a_partition_is_one_message(fetching):
    message = await fetching.fetch(0, 99)
    assert [record.offset for record in message.value] == list(range(100))
    assert (message.offset, message.tp, message.timestamp) == (99, SOURCE, 1.099)


async def test_the_end_of_a_handled_chunk_is_committed_and_of_one_at_hand_nothing(fetching):
    first, second = await fetching.fetch(0, 99), await fetching.fetch(100, 149)
    assert fetching.committable() is None
    fetching.done(first)
    assert fetching.committable() == 100
    assert fetching.committable() is None
    fetching.done(second)
    assert fetching.committable() == 150


async def test_nothing_is_committed_over_a_chunk_that_is_not_handled(fetching):
    first, second, third = await fetching.fetch(0, 99), await fetching.fetch(100, 149), await fetching.fetch(150, 150)
    fetching.done(second)
    fetching.done(third)
    assert fetching.committable() is None
    fetching.done(first)
    assert fetching.committable() == 151


async def test_what_was_at_hand_when_the_partition_came_anew_commits_nothing_of_what_is_read_again(fetching):
    old = await fetching.fetch(0, 99)
    fetching.committed = 50
    await fetching.consumer.perform_seek()
    again = await fetching.fetch(50, 99)
    fetching.done(old)
    assert fetching.committable() is None
    fetching.done(again)
    assert fetching.committable() == 100


async def test_where_nothing_was_committed_reading_begins_at_the_beginning_again(fetching):
    assert fetching.sought == [SOURCE]
    fetching.committed = 50
    await fetching.consumer.perform_seek()
    assert fetching.sought == [SOURCE]


async def test_a_hole_in_what_was_read_ends_reading_unless_retention_made_it(fetching):
    await fetching.fetch(0, 9)
    with pytest.raises(HoleError, match="goes on at 20, not at 10"):
        await fetching.fetch(20, 29)
    fetching.earliest = 20
    assert (await fetching.fetch(20, 29)).offset == 29


async def test_records_that_were_handled_before_the_commit_are_not_handed_over_alone(fetching):
    fetching.committed = 50
    await fetching.consumer.perform_seek()
    assert await fetching.fetch(40, 49) is None
    assert (await fetching.fetch(45, 59)).offset == 59


@pytest.mark.parametrize(("chunks", "size"), [(WAITING_MAX, 1), (4, WAITING_BYTES_MAX // 40 + 1)])
async def test_no_more_is_fetched_while_too_much_waits(fetching, chunks, size):
    messages = [await fetching.fetch(10 * number, 10 * number + 9, size) for number in range(chunks)]
    assert fetching.consumer._full()
    fetching.done(messages[0])
    assert not fetching.consumer._full()


async def test_where_reading_is_is_the_first_record_that_is_not_handled(fetching):
    first = await fetching.fetch(0, 99)
    await fetching.fetch(100, 149)
    fetching.done(first)
    assert await fetching.consumer.at(SOURCE) == 100


class Waiting:
    """Events that wait, as Faust hands them to an agent; notes which are acked."""

    def __init__(self, chunks: int) -> None:
        self._events = [
            SimpleNamespace(message=SimpleNamespace(tp=SOURCE, value=number), number=number) for number in range(chunks)
        ]
        self.enable_acks = True
        self.acked: list[int] = []

    async def events(self):
        for event in self._events:
            yield event
        await asyncio.Event().wait()

    async def ack(self, event) -> None:
        self.acked.append(event.number)


@pytest.mark.parametrize(("gathers", "taken"), [(False, [[0], [1], [2]]), (True, [[0, 1, 2]])])
async def test_an_agent_takes_chunk_by_chunk_or_all_that_wait_and_acks_what_was_taken(gathers, taken):
    stream, seen = Waiting(3), []

    async def take(chunks) -> None:
        assert stream.acked == [number for numbers in seen for number in numbers]
        seen.append([value for _, value in chunks])

    app = chunk_app("127.0.0.1:9092", "turnstile.relay", "r1@abc", [SOURCE.topic], take, gathers=gathers)
    (agent,) = app.agents.values()
    task = asyncio.ensure_future(agent.fun(stream))
    async with asyncio.timeout(10):
        while len(stream.acked) < 3:
            await asyncio.sleep(0)
    assert (seen, stream.acked, stream.enable_acks) == (taken, [0, 1, 2], False)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("gathers", [False, True])
async def test_what_is_cancelled_is_not_acked(gathers):
    stream, begun = Waiting(3), asyncio.Event()

    async def take(chunks) -> None:
        begun.set()
        await asyncio.Event().wait()

    app = chunk_app("127.0.0.1:9092", "turnstile.relay", "r1@abc", [SOURCE.topic], take, gathers=gathers)
    (agent,) = app.agents.values()
    task = asyncio.ensure_future(agent.fun(stream))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.acked == []
