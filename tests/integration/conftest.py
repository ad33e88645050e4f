"""One real broker a session, a log of its own a test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ops.broker import EmbeddedBroker
from ops.topics_admin import TopicsAdmin
from settings import Shared
from streams.kafka_log import KafkaLog
from tests.integration.harness import Stage, new_stage
from tests.integration.shop import Shop


@pytest.fixture(scope="session")
def session_broker(tmp_path_factory) -> Iterator[EmbeddedBroker]:
    """The session's Kafka node. Tests take `broker`, which is sure to run."""
    with EmbeddedBroker(tmp_path_factory.mktemp("broker"), Shared().cache_dir) as broker:
        yield broker


@pytest.fixture
def broker(session_broker) -> Iterator[EmbeddedBroker]:
    """Kafka, running. A test may stop or kill it and start it again (same port, same data)."""
    if not session_broker.is_running:
        session_broker.start()
    yield session_broker
    if not session_broker.is_running:
        session_broker.start()


@pytest.fixture
async def stage(broker, tmp_path) -> AsyncIterator[Stage]:
    """New topics with GENESIS, P = 4, and keys. The topics go with the test."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    stage = await new_stage(broker.address, data_dir)
    yield stage
    async with TopicsAdmin(broker.address) as admin:
        await admin.delete(topic.name for topic in stage.topics)


@pytest.fixture
async def log(stage) -> AsyncIterator[KafkaLog]:
    """The stage's log, behind the port."""
    async with KafkaLog(stage.servers, "test") as log:
        yield log


@pytest.fixture
def shop(stage, log) -> Shop:
    """Stock in the stage's log."""
    return Shop(stage, log)
