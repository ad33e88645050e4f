"""Three brokers: the log is replicated, and a killed broker costs seconds, not records."""

import asyncio
import time

import pytest

from ops.broker_cluster import EmbeddedCluster
from ops.topics_admin import TopicsAdmin
from ops.topics_apply import apply, check
from settings import Shared
from streams import topics
from streams.kafka_log import KafkaLog
from tests.integration.harness import PARTITIONS, eventually

pytestmark = [pytest.mark.integration, pytest.mark.chaos]


@pytest.fixture
def cluster(tmp_path):
    with EmbeddedCluster(tmp_path, Shared().cache_dir) as cluster:
        yield cluster


async def leaders(admin: TopicsAdmin, topic: str) -> dict[int, int]:
    (described,) = await admin._client.describe_topics([topic])
    return {part["partition"]: part["leader"] for part in described["partitions"]}


async def test_topics_have_three_replicas_and_survive_the_loss_of_a_broker(cluster):
    applied = await apply(cluster.address, topics.CATALOGUE, PARTITIONS)
    assert applied.notes == []
    ledger = topics.CATALOGUE.stock_ledger.name
    async with TopicsAdmin(cluster.address) as admin, KafkaLog(cluster.address) as log:
        for state in (await admin.describe(topic.name for topic in topics.CATALOGUE)).values():
            assert (state.replicas, state.partitions) == (3, PARTITIONS)
            assert state.configs["min.insync.replicas"] == "2"
            assert state.configs["unclean.leader.election.enable"] == "false"
        appended = [await log.append(ledger, 0, f"before {number}".encode()) for number in range(20)]
        victim = cluster.nodes[(await leaders(admin, ledger))[0] - 1]
        victim.kill()
        begun = time.monotonic()
        appended += [await log.append(ledger, 0, f"after {number}".encode()) for number in range(20)]
        assert time.monotonic() - begun < 30  # 2 to 6 s on an idle machine
        assert [position.offset for position in appended] == list(range(1, 41))
        values = [record.value async for record in log.read(ledger, 0, 1)]
        assert values == [f"{when} {number}".encode() for when in ("before", "after") for number in range(20)]

        victim.spawn()
        await asyncio.to_thread(victim.wait_ready, 3)

        async def whole() -> bool:
            (described,) = await admin._client.describe_topics([ledger])
            return all(len(part["isr"]) == 3 for part in described["partitions"])

        await eventually(whole, within_s=60, what="the killed broker's replicas in sync again")
    assert await check(cluster.address, topics.CATALOGUE, PARTITIONS) == []
    again = await apply(cluster.address, topics.CATALOGUE, PARTITIONS)
    assert (again.log_id, again.changes, again.notes) == (applied.log_id, [], [])
