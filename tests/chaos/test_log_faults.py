"""The log itself misbehaves: forged commits, a topic made anew, a broker away."""

import asyncio
import contextlib

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DeleteGroupsRequest
from aiokafka.structs import OffsetAndMetadata

from domain.outcomes import Outcome
from ops.topics_admin import TopicsAdmin
from ops.topics_apply import configs
from streams.topics import group_id
from tests.integration.harness import eventually
from tests.integration.shop import load

pytestmark = [pytest.mark.integration, pytest.mark.chaos]


async def forge(stage, offset_of) -> bool:
    """Commit offsets for the workers' group in every partition of its topics; False while it still has members."""
    group = group_id(stage.namespace, "inventory")
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.servers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        topics = (stage.topics.plan.name, stage.topics.stock_commands.name, stage.topics.stock_ledger.name)
        sources = [TopicPartition(topic, number) for topic in topics for number in range(stage.partitions)]
        consumer.assign(sources)
        ends = await consumer.end_offsets(sources)
        with contextlib.suppress(KafkaError):
            await consumer.commit({source: OffsetAndMetadata(offset_of(ends[source]), "") for source in sources})
            return True
    finally:
        await consumer.stop()
    return False


async def forget(stage) -> bool:
    """Delete the workers' group with its offsets; False while it still has members."""
    group = group_id(stage.namespace, "inventory")
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.servers)
    await admin.start()
    try:
        node = await admin.find_coordinator(group)
        response = await admin._send_request(DeleteGroupsRequest([group]), node)
        return response.results[0][1] == 0
    finally:
        await admin.close()


async def test_committed_offsets_decide_nothing_whatever_they_say(stage, shop):
    sku = shop.sku(0)
    with stage.worker("w1"):
        assert await shop.decision(0, await shop.open(sku, 3))
        assert await shop.outcomes(0, shop.reserve(sku, "before")) == [Outcome.GRANTED]
    for name, offset_of in {"end": lambda end: end, "zero": lambda _: 0, "beyond": lambda end: end + 1000}.items():
        offset = await shop.send(0, shop.reserve(sku, name))
        await eventually(lambda offset_of=offset_of: forge(stage, offset_of), within_s=30)
        with stage.worker("w1"):
            assert await shop.decision(0, offset)
    await eventually(lambda: forget(stage), within_s=30)
    with stage.worker("w1"):
        assert await shop.outcomes(0, shop.reserve(sku, "deleted")) == [Outcome.ALL_HELD]
    report = await shop.verified()
    assert report.outcomes[Outcome.GRANTED] == 3


async def test_a_commands_topic_made_anew_stops_the_partitions_and_nothing_is_decided_on_it(stage, shop):
    sku = shop.sku(0)
    topic = stage.topics.stock_commands
    with stage.worker("w1") as worker:
        assert await shop.decision(0, await shop.open(sku, 3))
        for number in range(3):
            await shop.outcomes(0, shop.reserve(sku, f"k{number}"))
        before = await shop.decisions(0)
        async with TopicsAdmin(stage.servers) as admin:
            await admin.delete([topic.name])
            await admin.create({topic.name: configs(topic, 1)}, stage.partitions, 1)
        for number in range(2):
            await shop.send(0, shop.reserve(sku, f"lost{number}"))
        line = await worker.until_logged("partition.stopped", partition=0)
        assert "made anew" in line["message"] or "re-created" in line["message"]
        assert worker.returncode is None
    with stage.worker("w2") as worker:
        for number in range(3):
            await shop.send(0, shop.reserve(sku, f"more{number}"))
        await worker.until_logged("partition.stopped", partition=0)
    ours = [one for one in await shop.decisions(0) if one.decided.sender == "shop"]
    assert ours == [one for one in before if one.decided.sender == "shop"]


async def test_a_broker_that_is_away_for_five_seconds_costs_time_and_nothing_else(broker, stage, shop):
    sku = shop.sku(0)
    with stage.worker("w1") as first, stage.worker("w2") as second:
        for worker in (first, second):
            for partition in range(stage.partitions):
                await worker.until_logged("partition.warm", partition=partition)
        await shop.decision(0, await shop.open(sku, 50))
        async with load(shop, sku, every_ms=20):
            await asyncio.sleep(1)
            await asyncio.to_thread(broker.stop)
            await asyncio.sleep(5)
            await broker.start_async()
            decided = len(await shop.decisions(0))

            async def going_on() -> bool:
                return len(await shop.decisions(0)) > decided + 20

            await eventually(going_on, within_s=30, every_s=0.2)
        report = await shop.verified()
        assert (first.returncode, second.returncode) == (None, None)
    assert report.outcomes[Outcome.GRANTED] == 50
    assert report.undecided == 0


async def test_a_worker_can_be_stopped_while_the_broker_is_away(broker, stage):
    with stage.worker("w1") as worker:
        for partition in range(stage.partitions):
            await worker.until_logged("partition.claimed", partition=partition)
        await asyncio.to_thread(broker.stop)
        code = await asyncio.to_thread(worker.stop)
        await broker.start_async()
    assert code in {0, 75}, worker.tail()
