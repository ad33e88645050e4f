"""The log in Kafka keeps the port's contract, and says so when the broker does not answer."""

import uuid

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from ops.broker_node import free_port
from ops.topics_admin import TopicsAdmin
from streams.kafka_log import KafkaLog
from streams.log import StalledError
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


async def test_a_broker_that_is_not_there_is_an_error_at_once():
    with pytest.raises(StalledError, match="no Kafka broker answers at"):
        async with KafkaLog(f"127.0.0.1:{free_port()}"):
            pass
