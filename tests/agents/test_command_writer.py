"""What a stateless agent writes: batches within the limits, in order, acked whatever becomes of a producer."""

import asyncio
from collections import defaultdict

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from agents import appender
from agents.appender import Appender
from agents.command_writer import CommandWriter
from domain.roles import Role
from domain.stock import Commit, Line, Release, ReserveAll
from streams.logs import Log
from streams.records import BATCH_BYTES_MAX, BATCH_COMMANDS_MAX
from streams.stock_records import BATCHES
from tests.properties.commands import customer, fingerprint, hold, order

LOG_ID = bytes(range(16))


class Producer:
    """aiokafka's, as the appender uses it: the send that is `failing` is appended or not, but never acked."""

    def __init__(self, *, failing: int | None = None, start_error: Exception | None = None) -> None:
        self.failing = failing
        self.start_error = start_error
        self.sent: list[tuple[int, bytes]] = []
        self.tried: list[tuple[int, bytes]] = []
        self.stopped = False

    async def start(self) -> None:
        if self.start_error:
            raise self.start_error

    async def stop(self) -> None:
        self.stopped = True

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes | None, partition: int, headers: list):
        assert (topic, key, headers) == ("stock.commands", None, [])
        self.tried.append((partition, value))
        await asyncio.sleep(0)
        if len(self.tried) - 1 == self.failing:
            raise KafkaTimeoutError
        self.sent.append((partition, value))


class Written:
    """A writer on these producers, one after another."""

    def __init__(self, *producers: Producer) -> None:
        self.producers = producers
        self.counted: dict[str, int] = defaultdict(int)
        self.writer = CommandWriter(
            Appender(iter(producers).__next__, Log("test")),
            "stock.commands",
            BATCHES,
            LOG_ID,
            Role.ORDER,
            "r1@abc",
            self.count,
        )

    def count(self, topic: str, commands: int) -> None:
        self.counted[topic] += commands

    def batches(self, partition: int) -> list:
        sent = [value for producer in self.producers for at, value in producer.sent if at == partition]
        assert all(len(value) <= BATCH_BYTES_MAX for value in sent)
        return [BATCHES.decode(value) for value in sent]


def commits(count: int) -> list[Commit]:
    return [Commit(hold(f"h{number}")) for number in range(count)]


async def test_commands_go_to_their_partition_in_their_order_in_one_batch_of_this_process():
    written = Written(Producer())
    wanted = {0: commits(3), 2: [Release(hold("h1")), *commits(2)], 3: []}
    await written.writer.write(wanted)
    for partition, commands in wanted.items():
        assert [batch.commands() for batch in written.batches(partition)] == ([commands] if commands else [])
    (batch,) = written.batches(0)
    assert (batch.log_id, batch.role, batch.sender) == (LOG_ID, Role.ORDER, "r1@abc")
    assert written.counted == {"stock.commands": 6}


async def test_batches_are_numbered_across_partitions_and_kept_to_the_most_commands():
    written = Written(Producer())
    wanted = commits(2 * BATCH_COMMANDS_MAX + 1)
    await written.writer.write({1: wanted, 2: wanted[:1]})
    batches = written.batches(1)
    assert [len(batch.commands()) for batch in batches] == [BATCH_COMMANDS_MAX, BATCH_COMMANDS_MAX, 1]
    assert [command for batch in batches for command in batch.commands()] == wanted
    numbers = [batch.number for partition in (1, 2) for batch in written.batches(partition)]
    assert len(set(numbers)) == 4
    assert numbers[:3] == sorted(numbers[:3])


async def test_batches_are_kept_to_the_most_bytes():
    lines = tuple(Line(number, "s" * 64, 1) for number in range(60))
    wanted = [ReserveAll(order(f"o{n}"), customer("ann"), False, 9, fingerprint("f"), lines) for n in range(100)]
    written = Written(Producer())
    await written.writer.write({1: wanted})
    batches = written.batches(1)
    assert [command for batch in batches for command in batch.commands()] == wanted
    assert len(batches) < 10


async def test_a_batch_that_failed_is_sent_again_byte_by_byte_by_another_producer_before_the_next(monkeypatch):
    monkeypatch.setattr(appender, "AGAIN_S", 0)
    broken, fresh = Producer(failing=1), Producer()
    written = Written(broken, fresh)
    wanted = commits(2 * BATCH_COMMANDS_MAX + 1)
    await written.writer.write({1: wanted})
    assert broken.stopped
    assert fresh.tried[0] == broken.tried[1]
    assert [command for batch in written.batches(1) for command in batch.commands()] == wanted


async def test_a_broker_that_is_away_is_waited_for(monkeypatch):
    monkeypatch.setattr(appender, "AGAIN_S", 0)
    away, back = Producer(start_error=KafkaConnectionError()), Producer()
    written = Written(away, back)
    await written.writer.write({1: commits(1)})
    assert away.stopped
    assert len(written.batches(1)) == 1


async def test_writes_at_once_keep_the_order_of_a_partition():
    written = Written(Producer())
    first, second = commits(BATCH_COMMANDS_MAX + 1), [Release(hold("h1"))]
    await asyncio.gather(written.writer.write({1: first}), written.writer.write({1: second}))
    assert [command for batch in written.batches(1) for command in batch.commands()] == first + second
