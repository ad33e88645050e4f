"""Who owns each partition and how far it is, read from the ends of the topics: for people and for waiting, no proof."""

import asyncio
from typing import NamedTuple

from streams.identity import read_identity
from streams.log import Log
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
from streams.topics import Ledger, LedgerTopics, Topics

WINDOW = 200
"""Records read back at first; four times as many whenever the owner's CLAIM is older."""


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


async def survey(log: Log, topics: Topics, ledger: Ledger = Ledger.STOCK) -> list[PartitionState]:
    """One state a partition. NoLogError or UnknownTopicError before `topics apply`, StalledError without a broker."""
    identity = await read_identity(log, topics)
    looks = [_state(log, topics.of(ledger), partition) for partition in range(identity.partitions)]
    return await asyncio.gather(*looks)


class Seen(NamedTuple):
    """A ledger record with its log time."""

    at_ms: int
    record: LedgerRecord


async def _state(log: Log, topics: LedgerTopics, partition: int) -> PartitionState:
    ledger_end = await log.end(topics.ledger.name, partition)
    commands_end = await log.end(topics.commands.name, partition)
    window = WINDOW
    while True:
        start = max(0, ledger_end - window)
        seen = await _read(log, topics.ledger.name, partition, start, ledger_end)
        state = summarise(partition, seen, commands_end, ledger_end)
        if start == 0 or state.claim is not None:
            return state
        window *= 4


async def _read(log: Log, topic: str, partition: int, start: int, end: int) -> list[Seen]:
    found = []
    async for record in log.read(topic, partition, start, end):
        try:
            found.append(Seen(record.timestamp_ms, decode_ledger(record.value)))
        except UndecodableError:  # not by an owner, so without effect; `turnstile verify` reports it
            continue
    return found


def summarise(partition: int, seen: list[Seen], commands_end: int, ledger_end: int) -> PartitionState:
    """The state after these records, the last of a ledger.

    The owner is who decided in the highest epoch; before its first decision, who claimed first in it.
    """
    epoch, src, decided_ms, yielded_to = 0, 0, -1, None
    nonce: bytes | None = None
    for at_ms, record in seen:
        if record.epoch < epoch:
            continue
        if record.epoch > epoch or nonce is None:
            epoch, nonce, yielded_to = record.epoch, record.nonce, None
        if record.kind in {DECIDED, RULING} and (decided := decode_decided(record.body)).src > src:
            src, decided_ms, yielded_to, nonce = decided.src, at_ms, decided.yielded_to, record.nonce
    claims = [one.record for one in seen if one.record.kind == CLAIM and one.record.nonce == nonce]
    claim = decode_claim(claims[0].body) if claims else None
    return PartitionState(partition, epoch, claim, yielded_to, src, commands_end, ledger_end, decided_ms)
