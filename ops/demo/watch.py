"""Follows all ledgers while they grow: owners, stock, decisions. For the eye and for the moment of the kill."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from domain.outcomes import REPEATED, Outcome
from streams.acceptance import Acceptance, Verdict
from streams.kafka import tail_consumer
from streams.records import decode_ledger
from streams.stock_records import decode_details
from streams.topics import Topics

if TYPE_CHECKING:
    from domain.stock import Totals

CLIENT_ID = "turnstile-demo"
ENDS_S = 0.5
RATE_S = 2.0
ANSWERS = frozenset(range(Outcome.KEY_REUSED, Outcome.GRANTED + 1))
"""What a request to buy can come to."""

Happened = Callable[[str], None]


@dataclass(slots=True)
class Followed:
    """One partition. `decided_s`: monotonic time at which the last accepted decision was seen here."""

    accepted: Acceptance = field(default_factory=Acceptance)
    commands_end: int = 0
    decided_s: float = 0.0

    @property
    def owner(self) -> str:
        """Name of the worker whose CLAIM is the accepted one, "" if none is or it handed over."""
        claim = self.accepted.claim
        return claim.worker if claim and self.accepted.yielded_to is None else ""

    @property
    def lag(self) -> int:
        """Command records without an accepted decision, as of the last look at the commands' end."""
        return max(0, self.commands_end - self.accepted.src - 1)


class LedgerWatch:
    """`run` it as a task, beside whatever looks at it. `happened` gets a line for each take-over."""

    def __init__(self, servers: str, topics: Topics, partitions: int, happened: Happened) -> None:
        self.partitions = [Followed() for _ in range(partitions)]
        self.stock: dict[str, Totals] = {}
        self.requests_decided = 0
        """First answers to requests to buy."""
        self._servers = servers
        self._topics = topics
        self._happened = happened
        self._recent: deque[tuple[float, int]] = deque()

    async def run(self) -> None:
        """Follow until cancelled."""
        consumer = tail_consumer(self._servers, CLIENT_ID)
        await consumer.start()
        try:
            ledgers = self._places(self._topics.stock_ledger.name)
            consumer.assign(ledgers)
            for ledger in ledgers:
                consumer.seek(ledger, 0)
            looked_s = 0.0
            while True:
                fetched = await consumer.getmany(timeout_ms=50)
                for place, records in fetched.items():
                    for record in records:
                        self.on_record(place.partition, record.offset, record.value)
                if time.monotonic() - looked_s > ENDS_S:
                    looked_s = time.monotonic()
                    await self._look(consumer)
        finally:
            await consumer.stop()

    def on_record(self, partition: int, offset: int, value: bytes) -> None:
        """One ledger record, in order."""
        followed = self.partitions[partition]
        before, yielded = followed.accepted.claim, followed.accepted.yielded_to is not None
        verdict, decided = followed.accepted.judge(offset, decode_ledger(value), value, lambda _: True)
        if verdict is Verdict.CLAIMED and followed.accepted.claim is not None:
            claim, epoch = followed.accepted.claim, followed.accepted.epoch
            how = "claims" if before is None else "is handed" if yielded else f"takes over from {before.worker}"
            self._happened(f"{claim.worker} {how} partition {partition} (epoch {epoch})")
        elif verdict is Verdict.ACCEPTED and decided is not None:
            followed.decided_s = time.monotonic()
            self.requests_decided += sum(1 for code in decided.outcomes if code in ANSWERS)
            self._recent.append(
                (followed.decided_s, sum(1 for code in decided.outcomes if code & ~REPEATED in ANSWERS))
            )
            for totals in decode_details(decided.details).totals:
                self.stock[totals.sku] = totals

    def decisions_per_s(self) -> float:
        """Answers to requests to buy, repeated ones too, over the last two seconds."""
        horizon = time.monotonic() - RATE_S
        while self._recent and self._recent[0][0] < horizon:
            self._recent.popleft()
        return sum(count for _, count in self._recent) / RATE_S

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        try:
            ends = await consumer.end_offsets(self._places(self._topics.stock_commands.name))
        except (KafkaError, TimeoutError):
            return  # only the lag on the screen is older by half a second
        for place, end in ends.items():
            self.partitions[place.partition].commands_end = end

    def _places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in range(len(self.partitions))]
