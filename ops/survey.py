"""Who owns each partition and how far it is, read from the ends of the topics: for people and for waiting, no proof."""

import asyncio
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from streams.kafka import catch_up_consumer
from streams.records import (
    CLAIM,
    DECIDED,
    RULING,
    Claim,
    LedgerRecord,
    UndecodableError,
    decode_claim,
    decode_decided,
    decode_ledger,
)
from streams.topics import Topics

CLIENT_ID = "turnstile-survey"
WINDOW = 200
"""Records read back at first; four times as many whenever the owner's CLAIM is older."""
POLL_MS = 500
SILENCE_MAX_S = 20.0
"""A broker's restart takes up to 12 s."""


class NoTopicsError(RuntimeError):
    """The topics are not there: run `turnstile topics apply`."""


class PartitionState(NamedTuple):
    """One partition. `claim` None: nobody ever claimed it; `yielded_to` not None: the owner has handed it over.

    `lag` = command records without an accepted decision; `at_ms` = log time of the last decision, -1 if none.
    """

    partition: int
    epoch: int
    claim: Claim | None
    yielded_to: str | None
    src: int
    commands_end: int
    ledger_end: int
    at_ms: int

    @property
    def lag(self) -> int:
        """Commands' end - last accepted src - 1."""
        return self.commands_end - self.src - 1

    @property
    def is_owned(self) -> bool:
        """Somebody has claimed it and not handed it over. Whether that worker lives, only the group knows."""
        return self.claim is not None and self.yielded_to is None


async def survey(servers: str, topics: Topics) -> list[PartitionState]:
    """One state a partition. KafkaError or TimeoutError: the broker is away; NoTopicsError: before `topics apply`."""
    consumer = catch_up_consumer(servers, CLIENT_ID)
    await consumer.start()
    try:
        if not {topics.stock_ledger.name, topics.stock_commands.name} <= await consumer.topics():
            message = f"there is no topic {topics.stock_ledger.name} at {servers}: run `turnstile topics apply`"
            raise NoTopicsError(message)
        partitions = sorted(consumer.partitions_for_topic(topics.stock_ledger.name) or ())
        ledgers = [TopicPartition(topics.stock_ledger.name, partition) for partition in partitions]
        commands = [TopicPartition(topics.stock_commands.name, partition) for partition in partitions]
        ends = {**await consumer.end_offsets(ledgers), **await consumer.end_offsets(commands)}
        async with asyncio.timeout(SILENCE_MAX_S):
            return [
                await _state(consumer, ledger, ends[ledger], ends[command])
                for ledger, command in zip(ledgers, commands, strict=True)
            ]
    finally:
        await consumer.stop()


class Seen(NamedTuple):
    """A ledger record with its log time."""

    at_ms: int
    record: LedgerRecord


async def _state(consumer: AIOKafkaConsumer, at: TopicPartition, end: int, commands_end: int) -> PartitionState:
    window = WINDOW
    while True:
        start = max(0, end - window)
        state = summarise(at.partition, await _read(consumer, at, start, end), commands_end, end)
        if start == 0 or state.claim is not None:
            return state
        window *= 4


async def _read(consumer: AIOKafkaConsumer, at: TopicPartition, start: int, end: int) -> list[Seen]:
    consumer.assign([at])
    consumer.seek(at, start)
    found: list[Seen] = []
    position = start
    while position < end:
        for record in (await consumer.getmany(at, timeout_ms=POLL_MS)).get(at, []):
            position = record.offset + 1
            try:
                found.append(Seen(record.timestamp, decode_ledger(record.value or b"")))
            except UndecodableError:  # not by an owner, so without effect; `turnstile verify` reports it
                continue
    return found


def summarise(partition: int, seen: list[Seen], commands_end: int, ledger_end: int) -> PartitionState:
    """The state after these records, the last of a ledger.

    The owner is who decided in the highest epoch; before its first decision, who claimed first in it.
    """
    epoch = max((one.record.epoch for one in seen), default=0)
    src, decided_ms, yielded_to = 0, -1, None
    nonce: bytes | None = None
    for at_ms, record in seen:
        if record.epoch == epoch and nonce is None:
            nonce = record.nonce
        if record.kind in {DECIDED, RULING} and (decided := decode_decided(record.body)).src > src:
            src, decided_ms, yielded_to = decided.src, at_ms, None
            if record.epoch == epoch:
                nonce, yielded_to = record.nonce, decided.yielded_to
    claims = [one.record for one in seen if one.record.kind == CLAIM and one.record.nonce == nonce]
    claim = decode_claim(claims[0].body) if claims else None
    return PartitionState(partition, epoch, claim, yielded_to, src, commands_end, ledger_end, decided_ms)
