"""Which log is this: its id and number of partitions, as GENESIS has them. Whoever sees another P refuses to start."""

import asyncio
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.kafka import catch_up_consumer
from streams.records import GENESIS, Genesis, UndecodableError, decode_genesis_body, decode_ledger
from streams.topics import Topics

READ_S_MAX = 30.0
"""Reading one small record per partition takes milliseconds; a broker that is just electing leaders, seconds."""


class LogIdentity(NamedTuple):
    """Of the log: 16 random bytes, and P."""

    log_id: bytes
    partitions: int


class NoLogError(Exception):
    """The topics are missing, without GENESIS, or do not belong together: run `turnstile topics apply`."""


async def read_identity(servers: str, topics: Topics, client_id: str) -> LogIdentity:
    """Read the GENESIS of every ledger partition (never trimmed).

    NoLogError if the topics are not what they must be, KafkaError if there is no broker, TimeoutError after 30 s.
    """
    consumer = catch_up_consumer(servers, client_id)
    try:
        await consumer.start()
        existing = await consumer.topics()
        partitions = _partitions(consumer, topics, existing)
        async with asyncio.timeout(READ_S_MAX):
            found = [await _genesis(consumer, TopicPartition(topics.stock_ledger.name, p)) for p in range(partitions)]
    finally:
        await consumer.stop()
    log_id = found[0].log_id
    for partition, genesis in enumerate(found):
        if (genesis.log_id, genesis.partitions, genesis.partition) != (log_id, partitions, partition):
            message = (
                f"{topics.stock_ledger.name} partition {partition} says it is partition {genesis.partition} of "
                f"{genesis.partitions} of log {genesis.log_id.hex()}, not {partition} of {partitions} of {log_id.hex()}"
            )
            raise NoLogError(message)
    return LogIdentity(log_id, partitions)


def _partitions(consumer: AIOKafkaConsumer, topics: Topics, existing: set[str]) -> int:
    """P of the topics that are addressed by partition; NoLogError if one is missing or differs."""
    counts = {}
    for topic in (topics.stock_commands, topics.stock_ledger, topics.stock_events):
        found = consumer.partitions_for_topic(topic.name) if topic.name in existing else None
        if not found:
            message = f"topic {topic.name} does not exist: run `turnstile topics apply`"
            raise NoLogError(message)
        counts[topic.name] = len(found)
    if len(set(counts.values())) != 1:
        message = f"the topics differ in their number of partitions: {counts}"
        raise NoLogError(message)
    return counts[topics.stock_commands.name]


async def _genesis(consumer: AIOKafkaConsumer, place: TopicPartition) -> Genesis:
    consumer.assign([place])
    ends = await consumer.end_offsets([place])
    if not ends[place]:
        message = f"{place.topic} partition {place.partition} is empty, without GENESIS: run `turnstile topics apply`"
        raise NoLogError(message)
    consumer.seek(place, 0)
    first = await consumer.getone(place)
    try:
        record = decode_ledger(first.value)
        if first.offset == 0 and record.kind == GENESIS:
            return decode_genesis_body(record.body)
    except UndecodableError as error:
        message = f"{place.topic} partition {place.partition} does not begin with GENESIS: {error}"
        raise NoLogError(message) from error
    message = f"{place.topic} partition {place.partition} does not begin with GENESIS"
    raise NoLogError(message)
