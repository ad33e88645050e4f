"""`topics apply` makes a log once, and tells a lost, foreign or re-created topic from a new one."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from ops import topics_apply
from ops.broker_node import free_port
from ops.topics_admin import TopicsAdmin, TopicsError
from ops.topics_apply import apply, check
from streams import records
from streams.identity import NoLogError, read_identity
from streams.kafka_log import KafkaLog
from streams.log import StalledError
from streams.topics import CATALOGUE, named
from tests.integration.harness import PARTITIONS

pytestmark = pytest.mark.integration

DAY_MS = 86_400_000


@pytest.fixture
async def admin(broker):
    async with TopicsAdmin(broker.address) as admin:
        yield admin


def offending(problems, topic):
    return [problem for problem in problems if topic.name in problem]


async def recreate(admin, topic, partitions=PARTITIONS, **changes):
    await admin.delete([topic.name])
    configs = {**topics_apply.configs(topic, 1), **{key.replace("_", "."): value for key, value in changes.items()}}
    await admin.create({topic.name: configs}, partitions, 1)


async def test_every_topic_is_as_the_catalogue_says(stage, admin):
    states = await admin.describe(topic.name for topic in stage.topics)
    assert set(states) == {f"{stage.namespace}.{topic.name}" for topic in CATALOGUE}
    for topic in stage.topics:
        state = states[topic.name]
        assert (state.partitions, state.replicas, state.led) == (PARTITIONS, 1, True)
        assert state.configs["message.timestamp.type"] == "LogAppendTime"
        assert state.configs["retention.ms"] == str(topic.retention_ms)
        assert state.configs["cleanup.policy"] == topic.cleanup
        assert state.configs["max.message.bytes"] == str(4 * 1024 * 1024)
    assert states[stage.topics.stock_pools.name].configs["cleanup.policy"] == "compact"
    assert states[stage.topics.stock_ledger.name].configs["retention.ms"] == "-1"
    assert states[stage.topics.stock_commands.name].configs["retention.ms"] == str(14 * DAY_MS)
    assert await check(stage.servers, stage.topics, PARTITIONS) == []


async def test_genesis_binds_the_ledger_to_its_commands_in_every_partition(stage, log):
    for partition in range(PARTITIONS):
        (command,) = [record async for record in log.read(stage.topics.stock_commands.name, partition, 0)]
        (entry,) = [record async for record in log.read(stage.topics.stock_ledger.name, partition, 0)]
        expected = records.Genesis(stage.log_id, PARTITIONS, partition)
        assert records.decode_genesis(command.value) == expected
        header = records.decode_ledger(entry.value)
        assert header[:4] == (records.GENESIS, 0, bytes(8), 0)
        assert header.digest == records.digest(header.body)
        cmd_digest = records.command_digest(command.timestamp_ms, command.value)
        assert records.decode_genesis_body(header.body) == expected._replace(cmd_digest=cmd_digest)
    assert await read_identity(log, stage.topics) == (stage.log_id, PARTITIONS)


async def test_the_ledger_of_orders_is_of_the_same_log(stage, log):
    for partition in range(PARTITIONS):
        for topic, decode in (
            (stage.topics.order_commands, records.decode_genesis),
            (stage.topics.order_ledger, lambda value: records.decode_genesis_body(records.decode_ledger(value).body)),
        ):
            (record,) = [record async for record in log.read(topic.name, partition, 0)]
            assert decode(record.value)[:3] == (stage.log_id, PARTITIONS, partition)


async def test_a_log_from_before_there_were_orders_gets_what_it_lacks(stage, admin, log):
    topics = stage.topics
    orders = [topics.order_commands, topics.order_ledger, topics.order_events]
    await admin.delete([topic.name for topic in orders])
    await log.append(topics.stock_commands.name, 1, b"a command")
    assert await check(stage.servers, topics, PARTITIONS) == [f"{topic.name} is missing" for topic in orders]
    applied = await apply(stage.servers, topics, PARTITIONS)
    assert applied.log_id == stage.log_id
    assert [change.split(":")[0] for change in applied.changes] == [
        *(f"created {topic.name}" for topic in orders),
        f"wrote {2 * PARTITIONS} GENESIS records of log {stage.log_id.hex()}",
    ]
    assert await check(stage.servers, topics, PARTITIONS) == []
    await log.append(topics.order_events.name, 0, b"an event")
    await recreate(admin, topics.order_commands)
    await recreate(admin, topics.order_ledger)
    with pytest.raises(TopicsError, match=r"order\.ledger\[0\] is empty but .*order\.events is not"):
        await apply(stage.servers, topics, PARTITIONS)


async def test_a_second_run_changes_nothing(stage, log):
    again = await apply(stage.servers, stage.topics, PARTITIONS)
    assert (again.log_id, again.changes) == (stage.log_id, [])
    assert [await log.end(stage.topics.stock_ledger.name, partition) for partition in range(PARTITIONS)] == [1] * 4


async def test_an_interrupted_run_is_completed(stage, admin, log):
    """Topics without GENESIS, and a commands GENESIS without the ledger's."""
    await recreate(admin, stage.topics.order_ledger)
    await recreate(admin, stage.topics.plan)
    await admin.delete([stage.topics.dead_letters.name])
    assert await check(stage.servers, stage.topics, PARTITIONS) == [f"{stage.topics.dead_letters.name} is missing"]
    again = await apply(stage.servers, stage.topics, PARTITIONS)
    assert again.log_id == stage.log_id
    assert [change.split(":")[0] for change in again.changes] == [
        f"created {stage.topics.dead_letters.name}",
        f"wrote 4 GENESIS records of log {stage.log_id.hex()}",
    ]
    assert await check(stage.servers, stage.topics, PARTITIONS) == []
    assert await read_identity(log, stage.topics) == (stage.log_id, PARTITIONS)


async def test_another_partition_count_is_refused(stage):
    with pytest.raises(TopicsError) as caught:
        await apply(stage.servers, stage.topics, 8)
    assert len(caught.value.problems) == len(CATALOGUE)
    assert "has 4 partitions, not 8" in str(caught.value)
    assert "TURNSTILE_PARTITIONS=4" in str(caught.value)


async def test_topics_of_unequal_partition_counts_are_refused(stage, admin):
    await recreate(admin, stage.topics.stock_events, partitions=3)
    with pytest.raises(TopicsError, match=r"stock\.events has 3 partitions, not 4"):
        await apply(stage.servers, stage.topics, PARTITIONS)


async def test_the_senders_clock_is_refused(stage, admin):
    await recreate(admin, stage.topics.stock_events, message_timestamp_type="CreateTime")
    with pytest.raises(TopicsError, match=r"stock\.events has message\.timestamp\.type=CreateTime"):
        await apply(stage.servers, stage.topics, PARTITIONS)
    assert offending(await check(stage.servers, stage.topics, PARTITIONS), stage.topics.stock_events)


async def test_what_can_be_mended_is_mended_and_what_others_set_stays(stage, admin):
    pools, events, commands = stage.topics.stock_pools, stage.topics.stock_events, stage.topics.stock_commands
    longer = str(100 * DAY_MS)
    await recreate(admin, pools, cleanup_policy="delete", retention_ms="1000", segment_bytes="1048576")
    states = await admin.describe([commands.name])
    await admin.alter(commands.name, states[commands.name], {"retention.ms": longer})
    await recreate(admin, events, retention_ms="1000", max_message_bytes="1000000")
    applied = await apply(stage.servers, stage.topics, PARTITIONS)
    assert sorted(applied.changes) == sorted(
        [
            f"set {pools.name} cleanup.policy=compact",
            f"set {pools.name} retention.ms=-1",
            f"set {events.name} retention.ms={7 * DAY_MS}",
            f"set {events.name} max.message.bytes={4 * 1024 * 1024}",
        ]
    )
    states = await admin.describe([pools.name, commands.name])
    assert states[pools.name].configs["segment.bytes"] == "1048576"
    assert states[commands.name].configs["retention.ms"] == longer
    assert (await apply(stage.servers, stage.topics, PARTITIONS)).changes == []


async def test_a_re_created_commands_topic_is_refused(stage, admin):
    await recreate(admin, stage.topics.stock_commands)
    with pytest.raises(TopicsError, match=r"stock\.commands\[0\] is empty but its ledger is not") as caught:
        await apply(stage.servers, stage.topics, PARTITIONS)
    assert len(caught.value.problems) == PARTITIONS
    assert "restore the topic" in caught.value.problems[0]
    assert await check(stage.servers, stage.topics, PARTITIONS) == caught.value.problems


async def test_a_lost_commands_topic_is_not_made_anew(stage, admin):
    await admin.delete([stage.topics.stock_commands.name])
    with pytest.raises(TopicsError, match=r"stock\.commands is gone, but .*stock\.ledger has records"):
        await apply(stage.servers, stage.topics, PARTITIONS)
    assert await admin.describe([stage.topics.stock_commands.name]) == {}


async def test_a_lost_ledger_is_not_made_anew(stage, admin):
    await admin.delete([stage.topics.stock_ledger.name])
    with pytest.raises(TopicsError, match=r"stock\.ledger is gone, but .*stock\.commands has records"):
        await apply(stage.servers, stage.topics, PARTITIONS)


async def test_a_re_created_ledger_is_refused_once_commands_were_taken(stage, admin, log):
    await log.append(stage.topics.stock_commands.name, 2, b"a command")
    await recreate(admin, stage.topics.stock_ledger)
    with pytest.raises(TopicsError, match=r"stock\.ledger\[2\] is empty but commands were taken") as caught:
        await apply(stage.servers, stage.topics, PARTITIONS)
    assert len(caught.value.problems) == 1 + PARTITIONS
    assert "stock.ledger[0] is empty but" in caught.value.problems[1]


async def test_commands_that_were_begun_anew_are_refused(stage, admin, log):
    """Same log id even: the ledger names its commands' GENESIS by hash, with its log time."""
    commands = stage.topics.stock_commands
    await recreate(admin, commands)
    for partition in range(PARTITIONS):
        genesis = records.Genesis(stage.log_id, PARTITIONS, partition)
        await log.append(commands.name, partition, records.encode_genesis(genesis))
    with pytest.raises(TopicsError, match="is not the topic that its ledger began with"):
        await apply(stage.servers, stage.topics, PARTITIONS)


async def test_topics_of_two_logs_are_refused(stage, admin, log):
    commands = stage.topics.stock_commands
    await recreate(admin, commands)
    for partition in range(PARTITIONS):
        await log.append(commands.name, partition, records.encode_genesis(records.Genesis(b"x" * 16, 4, partition)))
    with pytest.raises(TopicsError, match="one of them was re-created"):
        await apply(stage.servers, stage.topics, PARTITIONS)


async def test_a_topic_of_somebody_else_is_refused(stage, admin, log):
    ledger = stage.topics.stock_ledger
    await recreate(admin, ledger)
    await log.append(ledger.name, 0, b"hello")
    with pytest.raises(TopicsError, match="does not begin with a GENESIS record"):
        await apply(stage.servers, stage.topics, PARTITIONS)
    with pytest.raises(NoLogError, match="does not begin with a GENESIS record"):
        await read_identity(log, stage.topics)


async def test_commands_that_were_trimmed_are_still_the_log_s(stage, broker, log):
    commands = stage.topics.stock_commands.name
    await log.append(commands, 0, b"a command")
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    await admin.delete_records({TopicPartition(commands, 0): RecordsToDelete(1)})
    await admin.close()
    assert (await apply(stage.servers, stage.topics, PARTITIONS)).changes == []


async def test_without_topics_there_is_no_identity(broker):
    async with KafkaLog(broker.address) as log:
        with pytest.raises(NoLogError, match="topics apply"):
            await read_identity(log, named("nobody"))


async def test_a_broker_that_is_away_is_said_at_once():
    with pytest.raises(StalledError, match="no Kafka broker answers"):
        await asyncio.wait_for(apply(f"127.0.0.1:{free_port()}", CATALOGUE, PARTITIONS), 5)
