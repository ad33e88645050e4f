"""The batcher on a real broker: a producer whose send failed for good is replaced, and nothing is lost or reordered."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import MessageSizeTooLargeError

from domain.roles import Role
from domain.stock import Reserve
from streams import kafka
from streams.batcher import Batcher, Target
from streams.records import BATCH_COMMANDS_MAX
from streams.slices import Slices
from streams.stock_records import BATCHES
from tests.integration.harness import eventually

pytestmark = pytest.mark.integration


def reserve(number: int) -> Reserve:
    return Reserve(number.to_bytes(17, "big"), "sku", bytes(8), 1, 10_000, bytes(8))


def new_batcher(stage, broken: list) -> Batcher:
    topic = stage.topics.stock_commands.name
    return Batcher(
        Target(topic, stage.partitions, BATCHES, stage.log_id, Role.GATEWAY, "g1@life"),
        lambda: kafka.producer(stage.servers, "test"),
        pace_ms=5,
        queue_max=1_000,
        on_acked=lambda _: None,
        on_broken=broken.append,
    )


@pytest.fixture
async def largest(stage):
    """How large the broker lets records of the commands topic be."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.servers)
    await admin.start()

    async def set_largest(bytes_max: int) -> None:
        topic = stage.topics.stock_commands.name
        configs = {"max.message.bytes": str(bytes_max), "message.timestamp.type": "LogAppendTime"}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])

    yield set_largest
    await admin.close()


async def test_a_failed_send_costs_a_producer_but_no_command_and_no_order(stage, log, largest):
    """The broker refuses a record: its producer's sequence has a gap, and all that it sends from then on fails."""
    topic = stage.topics.stock_commands.name
    broken = []
    batcher = new_batcher(stage, broken)
    running = asyncio.create_task(batcher.run())
    for number in range(10):
        batcher.submit(number % 2, reserve(number))
    assert await batcher.flush(10)
    await largest(500)
    large = [batcher.submit(0, reserve(number)) for number in range(10, 50, 2)]
    for number in range(11, 50, 2):
        batcher.submit(1, reserve(number))
        await asyncio.sleep(0.01)  # at the pace of the batcher: records of one command
    await eventually(lambda: batcher.replaced >= 2)
    assert not any(seat.batch.acked for seat in large)
    for number in range(50, 60):
        batcher.submit(number % 2, reserve(number))
    await largest(1_000_000)
    assert await batcher.flush(20)
    assert isinstance(broken[0], MessageSizeTooLargeError)
    running.cancel()
    await asyncio.wait([running])
    for partition in range(2):
        numbers, commands = [], []
        async for record in log.read(topic, partition, 1):
            batch = BATCHES.decode(record.value)
            if batch.number not in numbers:  # a record may be there twice; its first place counts
                numbers.append(batch.number)
                commands += batch.commands()
        assert commands == [reserve(number) for number in range(60) if number % 2 == partition]
        assert numbers == sorted(numbers)


async def test_a_full_batch_is_on_its_way_before_the_work_behind_it(stage, monkeypatch):
    """A pause of a slice is long enough for the batcher and aiokafka, so batches do not wait for one another's work."""
    sent = []
    send = AIOKafkaConnection.send

    def recorded(connection, request, expect_response=True):
        sent.append(type(request).__name__)
        return send(connection, request, expect_response)

    batcher = new_batcher(stage, [])
    running = asyncio.create_task(batcher.run())
    batcher.submit(0, reserve(0))
    assert await batcher.flush(10)
    monkeypatch.setattr(AIOKafkaConnection, "send", recorded)
    slices = Slices()
    for number in range(1, 1 + BATCH_COMMANDS_MAX):
        batcher.submit(0, reserve(number))
    while not await slices.pause(prompt=True):
        pass
    assert [name for name in sent if name.startswith("Produce")]
    assert await batcher.flush(10)
    running.cancel()
    await asyncio.wait([running])
