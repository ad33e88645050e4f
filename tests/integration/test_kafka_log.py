"""The log in Kafka keeps the port's contract, and says so when the broker does not answer."""

import asyncio
import uuid

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from ops.broker_node import free_port
from ops.topics_admin import TopicsAdmin
from streams.kafka_log import KafkaLog
from streams.log import AppendError, StalledError
from tests.contract.suite import LogContract

pytestmark = pytest.mark.integration


class TestKafkaLog(LogContract):
    @pytest.fixture
    async def topic(self, broker):
        name = f"contract-{uuid.uuid4().hex}"
        async with TopicsAdmin(broker.address) as admin:
            configs = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 * 1024 * 1024)}
            await admin.create({name: configs}, 4, 1)
            yield name
            await admin.delete([name])

    @pytest.fixture
    async def log(self, broker):
        async with KafkaLog(broker.address, "contract") as log:
            yield log

    @pytest.fixture
    async def trim(self, broker):
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
        await admin.start()

        async def trim(topic, partition, before):
            await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before)})

        yield trim
        await admin.close()


async def test_an_append_that_failed_for_good_does_not_spoil_the_next(broker):
    """A producer whose send was refused has a gap in its sequence numbers: all its later sends would fail."""
    name = f"small-{uuid.uuid4().hex}"
    async with TopicsAdmin(broker.address) as admin, KafkaLog(broker.address) as log:
        await admin.create({name: {"max.message.bytes": "1000"}}, 1, 1)
        assert (await log.append(name, 0, b"before")).offset == 0
        with pytest.raises(AppendError, match="MessageSizeTooLarge"):
            await log.append(name, 0, b"x" * 2000)
        assert (await log.append(name, 0, b"after")).offset == 1
        assert [record.value async for record in log.read(name, 0, 0)] == [b"before", b"after"]
        await admin.delete([name])


async def test_appends_wait_for_a_broker_that_is_away_and_stay_in_order(broker, stage, log):
    events = stage.topics.stock_events.name
    await log.append(events, 0, b"0")
    await asyncio.to_thread(broker.stop)
    waiting = asyncio.gather(*(log.append(events, 0, str(number).encode()) for number in range(1, 6)))
    await asyncio.sleep(1)  # what is tested: it is away for that long
    assert not waiting.done()
    await broker.start_async()
    assert sorted(position.offset for position in await waiting) == [1, 2, 3, 4, 5]
    assert [record.offset async for record in log.read(events, 0, 0)] == list(range(6))


async def test_a_broker_that_is_not_there_is_an_error_at_once():
    with pytest.raises(StalledError, match="no Kafka broker answers at"):
        async with KafkaLog(f"127.0.0.1:{free_port()}"):
            pass
