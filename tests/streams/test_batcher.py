"""The batcher: order, limits, pacing; what a failed producer does and does not change."""

import asyncio
import gc
import time

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from aiokafka.structs import RecordMetadata, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from domain.roles import Role
from domain.stock import Open, Reserve
from streams import batcher as module
from streams.batcher import WINDOW, Batcher, QueueFullError, Target
from streams.memory_log import MemoryLog
from streams.protocol import Tick
from streams.records import BATCH_BYTES_MAX, BATCH_COMMANDS_MAX
from streams.stock_records import BATCHES

TOPIC = "stock.commands"
LOG_ID = bytes(range(16))
LOST = KafkaTimeoutError("not delivered")


class Wire:
    """What producers write to: a log in memory; failures and delays as the test wants them."""

    def __init__(self) -> None:
        self.log = MemoryLog([TOPIC], 2, lambda: 1_000)
        self.producers: list[MemoryProducer] = []
        self.refuse_starts = 0
        self.fail_sends = 0
        self.hold_acks = False
        self.forget_offsets = False
        self.held: list = []
        self.handed: list[tuple[int, bytes, float]] = []

    def make(self):
        self.producers.append(MemoryProducer(self))
        return self.producers[-1]

    def release(self) -> None:
        self.hold_acks = False
        held, self.held = self.held, []
        for future, metadata in held:
            if not future.done():
                future.set_result(metadata)

    async def batches(self, partition: int):
        return [BATCHES.decode(record.value) async for record in self.log.read(TOPIC, partition, 0)]


class MemoryProducer:
    """Behaves as aiokafka's does: after a failed send every further one fails too."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.failed = False
        self.stopped = False

    async def start(self) -> None:
        if self.wire.refuse_starts:
            self.wire.refuse_starts -= 1
            raise KafkaConnectionError("away")

    async def stop(self) -> None:
        self.stopped = True

    async def send(self, topic, value, *, partition):
        assert not self.stopped
        wire = self.wire
        wire.handed.append((partition, value, time.monotonic()))
        future = asyncio.get_running_loop().create_future()
        if self.failed or wire.fail_sends:
            if not self.failed:
                wire.fail_sends -= 1
            self.failed = True
            asyncio.get_running_loop().call_soon(future.set_exception, KafkaTimeoutError("not delivered"))
            return future
        place = await wire.log.append(topic, partition, value)
        offset = -1 if wire.forget_offsets else place.offset
        metadata = RecordMetadata(topic, partition, TopicPartition(topic, partition), offset, place.timestamp_ms, 1, 0)
        if wire.hold_acks:
            wire.held.append((future, metadata))
        else:
            asyncio.get_running_loop().call_soon(future.set_result, metadata)
        return future


class Running:
    """A batcher at work on a wire."""

    def __init__(self, wire: Wire, pace_ms: int = 0, queue_max: int = 20_000) -> None:
        self.acked: list = []
        self.broken: list = []
        target = Target(TOPIC, 2, BATCHES, LOG_ID, Role.GATEWAY, "gateway-1@life")
        self.batcher = Batcher(
            target,
            wire.make,
            pace_ms=pace_ms,
            queue_max=queue_max,
            on_acked=self.acked.append,
            on_broken=self.broken.append,
        )

    async def __aenter__(self) -> Batcher:
        self.task = asyncio.create_task(self.batcher.run())
        return self.batcher

    async def __aexit__(self, *_) -> None:
        self.task.cancel()
        await asyncio.wait([self.task])
        assert self.task.cancelled(), self.task.exception()


def reserve(number: int, carried: int = 0) -> Reserve:
    return Reserve(number.to_bytes(17, "big"), "sku", bytes(8), 1, 10_000, bytes(8), -1, bytes(carried))


async def until(check) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0.001)


async def test_commands_of_one_moment_share_a_record_in_order():
    wire = Wire()
    async with Running(wire) as batcher:
        commands = [reserve(number) for number in range(BATCH_COMMANDS_MAX)]
        seats = [batcher.submit(1, command) for command in commands]
        assert await batcher.flush(5)
    (batch,) = await wire.batches(1)
    assert batch.commands() == commands
    assert (batch.log_id, batch.role, batch.sender, batch.number) == (LOG_ID, Role.GATEWAY, "gateway-1@life", 1)
    assert [seat.index for seat in seats] == list(range(BATCH_COMMANDS_MAX))
    assert {(seat.batch.offset, seat.batch.timestamp_ms) for seat in seats} == {(0, 1_000)}
    assert await wire.batches(0) == []


async def test_batches_of_a_partition_are_paced_and_the_first_is_not():
    wire = Wire()
    async with Running(wire, pace_ms=500) as batcher:
        await until(lambda: not batcher.away(0, 1))
        begun = time.monotonic()
        for number in range(BATCH_COMMANDS_MAX + 1):
            batcher.submit(0, reserve(number))
        batcher.submit(1, reserve(0))
        assert await batcher.flush(5)
    at = [handed_at - begun for partition, _, handed_at in wire.handed if partition == 0]
    assert len(at) == 2
    assert at[0] < 0.25
    assert at[1] - at[0] >= 0.249
    assert next(handed_at - begun for partition, _, handed_at in wire.handed if partition == 1) < 0.4


async def test_busy_partitions_send_at_the_same_beats():
    wire = Wire()
    pace_s = 0.5
    async with Running(wire, pace_ms=500) as batcher:
        await until(lambda: 0.1 < time.monotonic() % pace_s < 0.2)
        for partition in (0, 1):
            batcher.submit(partition, reserve(1))
            await until(lambda: len(wire.handed) == partition + 1)  # noqa: B023 - it is awaited at once
        for partition in (0, 1):
            batcher.submit(partition, reserve(2))
        assert await batcher.flush(5)
    first, _, *second = [handed_s // pace_s for _, _, handed_s in wire.handed]
    assert second == [first + 1, first + 1]


async def test_what_fills_a_record_does_not_wait_for_the_pace():
    wire = Wire()
    async with Running(wire, pace_ms=60_000) as batcher:
        for number in range(3 * BATCH_COMMANDS_MAX):
            batcher.submit(0, reserve(number))
        assert await batcher.flush(5)
    assert len(wire.handed) == 3


@given(st.lists(st.tuples(st.integers(0, 1024), st.booleans()), min_size=1, max_size=300))
def test_no_record_is_over_the_limits_and_no_command_is_lost(sizes):
    """Alternating kinds are the worst case: each command starts a run of its own."""
    commands = [Open("s" * 64, size + 1) if plain else reserve(size, size) for size, plain in sizes]

    async def run():
        wire = Wire()
        async with Running(wire) as batcher:
            for command in commands:
                batcher.submit(0, command)
            assert await batcher.flush(5)
        return [value for _, value, _ in wire.handed], await wire.batches(0)

    values, batches = asyncio.run(run())
    assert [command for batch in batches for command in batch.commands()] == commands
    assert max(map(len, values)) <= BATCH_BYTES_MAX
    assert [batch.number for batch in batches] == list(range(1, len(batches) + 1))


async def test_large_commands_fill_records_up():
    wire = Wire()
    async with Running(wire) as batcher:
        for number in range(200):
            batcher.submit(0, reserve(number, 1024))
        assert await batcher.flush(5)
    lengths = [len(value) for _, value, _ in wire.handed]
    assert len(lengths) == 4  # 200 x about 1.1 KB in records of 64 KiB
    assert all(length > 0.94 * BATCH_BYTES_MAX for length in lengths[:-1])


async def test_a_full_queue_takes_nothing_and_other_partitions_go_on():
    wire = Wire()
    wire.hold_acks = True
    async with Running(wire, queue_max=3) as batcher:
        for number in range(3):
            batcher.submit(0, reserve(number))
        with pytest.raises(QueueFullError, match="3 commands wait for partition 0"):
            batcher.submit(0, reserve(3))
        batcher.submit(1, reserve(0))
        await until(lambda: len(wire.held) == 2)
        wire.release()
        assert await batcher.flush(5)
        with pytest.raises(QueueFullError):  # in the log, but its owner has it still to decide
            batcher.submit(0, reserve(3))
        batcher.settle(1)
        batcher.submit(0, reserve(4))
        assert await batcher.flush(5)
    assert sum(len(batch.commands()) for batch in await wire.batches(0)) == 4


async def test_what_is_decided_before_its_ack_is_let_go_and_still_counts():
    """A batch and its seats would be a cycle each; a gateway made 75,000 objects a second of them."""
    wire = Wire()
    wire.hold_acks = True
    async with Running(wire) as batcher:
        seats = [batcher.submit(0, reserve(number)) for number in range(2)]
        await until(lambda: len(wire.held) == 1)
        batch = batcher.settle(1)
        assert batch.dismiss() == seats
        assert batch.dismiss() == []
        assert (batcher.waiting(0), batch.commands) == (2, 2)
        wire.release()
        assert await batcher.flush(5)
        assert batcher.waiting(0) == 0
        del batch
        gc.collect()
        gc.disable()
        try:
            del seats
            assert gc.collect() == 0
        finally:
            gc.enable()


async def test_who_waits_hears_of_the_ack():
    wire = Wire()
    running = Running(wire)
    async with running as batcher:
        seat = batcher.submit(0, reserve(1))
        seat.acked = asyncio.get_running_loop().create_future()
        assert await asyncio.wait_for(seat.acked, 5)
        assert seat.batch.acked
        assert running.acked == [seat.batch]
        assert batcher.settle(seat.batch.number) is seat.batch
        assert batcher.settle(seat.batch.number) is None


async def test_a_withdrawn_command_is_never_sent():
    wire = Wire()
    wire.refuse_starts = 1
    async with Running(wire) as batcher:
        first, second = batcher.submit(0, reserve(1)), batcher.submit(0, reserve(2))
        alone = batcher.submit(1, reserve(3))
        assert first.withdraw()
        assert alone.withdraw()
        assert await batcher.flush(5)
        assert not second.withdraw()
    assert [batch.commands() for batch in await wire.batches(0)] == [[reserve(2)]]
    assert await wire.batches(1) == []
    assert second.index == 0


async def test_after_a_failed_send_the_same_bytes_go_out_again_in_order():
    wire = Wire()
    running = Running(wire)
    async with running as batcher:
        batcher.submit(0, reserve(1))
        assert await batcher.flush(5)
        wire.fail_sends = 1
        batcher.submit(0, reserve(2))
        batcher.submit(1, reserve(2))
        await until(lambda: len(wire.producers) == 2)
        batcher.submit(0, reserve(3))
        assert await batcher.flush(5)
        assert batcher.replaced == 1
        await until(lambda: wire.producers[0].stopped)
    for partition, numbers in ((0, [1, 2, 3]), (1, [2])):
        values = list(dict.fromkeys(value for at, value, _ in wire.handed if at == partition))
        batches = await wire.batches(partition)
        assert [batch.commands()[0] for batch in batches] == [reserve(number) for number in numbers]
        assert [BATCHES.decode(value) for value in values] == batches  # nothing was ever encoded anew
    assert len(running.acked) == 4
    assert [type(error) for error in running.broken] == [KafkaTimeoutError]


async def test_a_batch_that_arrives_twice_counts_once():
    """The ack of a record is held, another send breaks the producer, the record goes out again: both are in the log."""
    wire = Wire()
    running = Running(wire)
    async with running as batcher:
        wire.hold_acks = True
        seat = batcher.submit(0, reserve(1))
        await until(lambda: wire.held)
        wire.fail_sends = 1
        batcher.submit(1, reserve(2))
        await until(lambda: len(wire.producers) == 2 and len(wire.held) == 3)
        wire.release()
        assert await batcher.flush(5)
    batches = await wire.batches(0)
    assert [batch.number for batch in batches] == [1, 1]
    assert seat.batch.offset == 0
    assert [batch.number for batch in running.acked] == [1, 2]


async def test_an_ack_may_not_know_the_offset():
    wire = Wire()
    wire.forget_offsets = True
    async with Running(wire) as batcher:
        seat = batcher.submit(0, reserve(1))
        assert await batcher.flush(5)
    assert seat.batch.acked
    assert seat.batch.offset == -1


async def test_the_broker_is_away_without_a_producer_or_without_acks():
    wire = Wire()
    wire.refuse_starts = 1
    async with Running(wire) as batcher:
        assert batcher.away(0, 5)
        await until(lambda: not batcher.away(0, 5))
        assert len(wire.producers) == 2
        wire.hold_acks = True
        batcher.submit(0, reserve(1))
        await until(lambda: batcher.away(0, 0.01))
        assert not batcher.away(1, 0.01)
        wire.release()
        await until(lambda: not batcher.away(0, 0.01))


async def test_no_more_than_a_window_is_unacked():
    wire = Wire()
    wire.hold_acks = True
    async with Running(wire) as batcher:
        for number in range((WINDOW + 2) * BATCH_COMMANDS_MAX):
            batcher.submit(0, reserve(number))
        await until(lambda: len(wire.held) == WINDOW)
        assert not await batcher.flush(0.05)
        assert len(wire.held) == WINDOW
        wire.release()
        assert await batcher.flush(5)
    assert len(await wire.batches(0)) == WINDOW + 2


async def test_a_full_window_does_not_keep_a_broken_producer():
    wire = Wire()
    wire.hold_acks = True
    async with Running(wire) as batcher:
        for number in range((WINDOW + 1) * BATCH_COMMANDS_MAX):
            batcher.submit(0, reserve(number))
        await until(lambda: len(wire.held) == WINDOW)
        wire.held.clear()
        wire.fail_sends = 1
        batcher.submit(1, reserve(0))
        await until(lambda: len(wire.held) == WINDOW + 1)
        wire.release()
        assert await batcher.flush(5)
    assert len(await wire.batches(0)) == 2 * WINDOW + 1


async def _a_full_window_gets_room(wire, batcher):
    """One answer of the broker: partition 0 is acked and so gets room, then partition 1 is refused."""
    batcher.submit(1, reserve(0))
    await until(lambda: len(wire.held) == 1)
    for number in range(1, WINDOW + 2):
        batcher.submit(0, reserve(number))
        await until(lambda number=number: len(wire.held) == min(number, WINDOW) + 1)
    (refused, _), (acked, place), *_ = wire.held
    acked.set_result(place)
    refused.set_exception(KafkaTimeoutError("not delivered"))


async def _an_idle_partition_gets_a_command(wire, batcher):
    batcher.submit(0, reserve(0))
    await until(lambda: wire.held)
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: (loop.call_soon(batcher.submit, 1, reserve(1)), wire.held[0][0].set_exception(LOST)))


async def _a_send_raises_before_a_full_queue(wire, batcher):
    """As aiokafka's does after an error that it cannot mend."""

    async def send(_topic, _value, *, partition):
        raise LOST

    wire.producers[-1].send = send
    for number in range(2 * BATCH_COMMANDS_MAX + 1):
        batcher.submit(1, reserve(number))


@pytest.mark.timeout(20)  # a loop that spins can only be ended from outside
@pytest.mark.parametrize(
    "happens", [_a_full_window_gets_room, _an_idle_partition_gets_a_command, _a_send_raises_before_a_full_queue]
)
async def test_a_lane_that_wakes_up_as_the_producer_breaks_waits_for_the_next_one(happens):
    wire = Wire()
    async with Running(wire) as batcher:
        await until(lambda: not batcher.away(0, 1))
        wire.hold_acks = True
        await happens(wire, batcher)
        await until(lambda: batcher.replaced)
        wire.release()
        assert await batcher.flush(10)
        assert batcher.replaced == 1


async def test_undecided_batches_are_bounded(monkeypatch):
    monkeypatch.setattr(module, "UNDECIDED_MAX", 5)
    wire = Wire()
    async with Running(wire) as batcher:
        for number in range(4):
            batcher.submit(0, reserve(number))
            batcher.submit(0, reserve(number + 100))
            assert await batcher.flush(5)
        assert list(batcher.undecided) == [3, 4]
        batcher.settle(3)
        for _ in range(2):
            batcher.submit(0, Tick())
            assert await batcher.flush(5)
        assert list(batcher.undecided) == [4, 5, 6]
