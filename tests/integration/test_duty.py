"""The frame of the stateless roles on the real broker: chunks, commits behind them, and what a kill leaves to do."""

import asyncio
import signal
from collections import defaultdict
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents import exits
from streams import kafka
from streams.topics import group_id
from tests.integration.harness import Program, Stage, eventually

pytestmark = pytest.mark.integration


class Tallied:
    """Processes of tests/integration/tally.py on one file."""

    def __init__(self, stage: Stage, tmp_path: Path) -> None:
        self._stage = stage
        self._file = tmp_path / "tally.txt"

    def program(self, name: str, delay_ms: int = 0) -> Program:
        return self._stage.program(
            name, "tests.integration.tally", str(self._file), str(delay_ms), worker=name, metrics_port=-1
        )

    def words(self) -> list[list[str]]:
        text = self._file.read_text() if self._file.exists() else ""
        return [line.split() for line in text.splitlines()]

    def chunks(self) -> list[tuple[str, int, int, int, int]]:
        """(topic, partition, first, last, records), as they were handled."""
        return [(w[0], int(w[1]), int(w[2]), int(w[3]), int(w[4])) for w in self.words() if len(w) == 5]

    def offsets(self) -> dict[tuple[str, int], set[int]]:
        """What was handled of each partition."""
        found = defaultdict(set)
        for topic, partition, first, last, _ in self.chunks():
            found[topic, partition].update(range(first, last + 1))
        return dict(found)


@pytest.fixture
def tallied(stage, tmp_path) -> Tallied:
    return Tallied(stage, tmp_path)


async def fill(stage: Stage, topic: str, count: int, partitions: int = 4, value: bytes = b"x") -> None:
    """`count` records into each partition."""
    producer = kafka.producer(stage.servers, "test-fill")
    await producer.start()
    try:
        sends = [
            await producer.send(topic, value, partition=partition)
            for _ in range(count)
            for partition in range(partitions)
        ]
        await asyncio.gather(*sends)
    finally:
        await producer.stop()


async def committed(stage: Stage, *sources: TopicPartition) -> list[int]:
    """Of the tally's group; 0 where there is none."""
    group = group_id(stage.namespace, "tally")
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.servers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        return [await consumer.committed(source) or 0 for source in sources]
    finally:
        await consumer.stop()


async def test_what_waits_arrives_in_chunks_whose_ends_are_committed_and_a_restart_goes_on_behind_them(stage, tallied):
    topic = stage.topics.stock_events.name
    await fill(stage, topic, 300)
    sources = [TopicPartition(topic, number) for number in range(4)]
    with tallied.program("t1") as first:
        await eventually(lambda: [len(found) for found in tallied.offsets().values()] == [300] * 4, within_s=30)
        assert len(tallied.chunks()) <= 40, "records come one by one"
        assert all(last - begin + 1 == count for _, _, begin, last, count in tallied.chunks())
        assert first.stop() == exits.STOPPED
    assert await committed(stage, *sources) == [300] * 4
    await fill(stage, topic, 1)
    before = len(tallied.chunks())
    with tallied.program("t2") as second:
        await second.until_logged("program.ready")
        await eventually(lambda: len(tallied.chunks()) == before + 4, within_s=30)
        assert [chunk[2:] for chunk in tallied.chunks()[before:]] == [(300, 300, 1)] * 4
        await eventually(lambda: _all(stage, sources, [301] * 4))
        assert second.stop() == exits.STOPPED
    assert tallied.words()[-1] == ["stopped"]


async def _all(stage: Stage, sources: list[TopicPartition], wanted: list[int]) -> bool:
    return await committed(stage, *sources) == wanted


async def test_a_chunk_at_hand_when_the_process_is_killed_is_handled_again_by_the_next(stage, tallied):
    topic = stage.topics.order_events.name
    await fill(stage, topic, 50, partitions=1)
    with tallied.program("t1", 60_000) as first:
        await eventually(lambda: ["begins", topic, "0", "0"] in tallied.words(), within_s=30)
        await asyncio.sleep(0.6)  # two commit intervals: nothing may be committed meanwhile
        first.kill()
    assert await committed(stage, TopicPartition(topic, 0)) == [0]
    with tallied.program("t2"):
        await eventually(lambda: tallied.offsets().get((topic, 0)) == set(range(50)), within_s=40)


async def test_a_chunk_at_hand_when_the_process_is_asked_to_stop_is_not_committed(stage, tallied):
    topic = stage.topics.order_events.name
    await fill(stage, topic, 50, partitions=1)
    with tallied.program("t1", 60_000) as first:
        await eventually(lambda: ["begins", topic, "0", "0"] in tallied.words(), within_s=30)
        first.send(signal.SIGTERM)
        assert await asyncio.to_thread(first.process.wait, 20) == exits.STOPPED
    assert await committed(stage, TopicPartition(topic, 0)) == [0]


async def test_processes_that_come_and_go_split_the_partitions_and_skip_nothing(stage, tallied):
    topic = stage.topics.stock_events.name
    sources = [TopicPartition(topic, number) for number in range(4)]
    with tallied.program("t1", 20) as first, tallied.program("t2", 20) as second:
        load = asyncio.ensure_future(_trickle(stage, topic, rounds=400))
        await eventually(lambda: _split(first, second), within_s=40)
        assert first.stop() == exits.STOPPED
        await load
        await eventually(lambda: _all(stage, sources, [400] * 4), within_s=40)
        assert second.stop() == exits.STOPPED
    assert tallied.offsets() == {(topic, number): set(range(400)) for number in range(4)}


def _assigned(program: Program) -> list[str]:
    ready = program.logged("program.ready")
    return ready[-1]["partitions"] if ready else []


def _split(first: Program, second: Program) -> bool:
    return len(_assigned(first)) == len(_assigned(second)) == 4


async def _trickle(stage: Stage, topic: str, rounds: int) -> None:
    """A record into each partition, `rounds` times, over about 10 s."""
    producer = kafka.producer(stage.servers, "test-trickle")
    await producer.start()
    try:
        for _ in range(rounds):
            await asyncio.gather(*[producer.send_and_wait(topic, b"x", partition=number) for number in range(4)])
            await asyncio.sleep(0.02)
    finally:
        await producer.stop()


async def test_a_bug_in_a_handler_ends_the_process_and_skips_nothing(stage, tallied):
    topic = stage.topics.order_events.name
    await fill(stage, topic, 1, partitions=1, value=b"bug")
    with tallied.program("t1") as first:
        await eventually(lambda: first.returncode is not None, within_s=30)
        assert first.returncode == exits.SOFTWARE
    assert await committed(stage, TopicPartition(topic, 0)) == [0]
