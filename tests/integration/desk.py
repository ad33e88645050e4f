"""Orders on the real broker without the other agents: commands are appended directly, events read back."""

import itertools
from collections import Counter as Count
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import ConsumerRecord

from domain.ids import customer_hash, order_id
from domain.orders import Born
from domain.outcomes import REPEATED, Outcome
from domain.roles import Role
from streams.acceptance import Acceptance, Verdict
from streams.deciding import has_facts
from streams.kafka_log import KafkaLog
from streams.order_events import EventRecord, source_of
from streams.order_publication import records_of
from streams.order_records import BATCHES
from streams.records import decode_ledger, encode_fact
from streams.topics import Ledger
from tables.orders import OrderFold
from tests.event_schemas import problems
from tests.integration.counter import Counter, Load, loaded, now_ms
from tests.integration.harness import Stage, eventually

HOLD_MS = 600_000


class Desk(Counter):
    """Takes orders into the order ledger of a stage, as the relay does."""

    def __init__(self, stage: Stage, log: KafkaLog, sender: str = "desk") -> None:
        super().__init__(stage, log, Ledger.ORDER, BATCHES, sender)
        self._folded: dict[int, tuple[Acceptance, OrderFold]] = {}

    def born(self, partition: int, key: str, *, method: str = "pm_card_visa") -> Born:
        """An order whose one line was granted just now."""
        keys = self.stage.keys
        order = order_id(keys.customer, f"customer of {key}", key, partition)
        customer = customer_hash(keys.customer, f"customer of {key}")
        return Born(
            order, "shoe", customer, 1, 2_500, "EUR", now_ms() + HOLD_MS, bytes(8), 7, 0, method, b""
        )  # fmt: skip

    async def events(self, partition: int) -> list[ConsumerRecord]:
        """All that was published, repeats included."""
        return await self.raw(self.topics.order_events.name, partition)

    async def accepted(self, partition: int) -> tuple[Acceptance, list[EventRecord], Count[Outcome]]:
        """Where the accepted history ends, the events that follow from it, and its outcomes."""
        fold, acceptance, outcomes = OrderFold(), Acceptance(), Count[Outcome]()
        state = fold.new_state(partition)
        events: list[EventRecord] = []
        for offset, _, value in await self.ledger(partition):
            record = decode_ledger(value)
            verdict, decided = acceptance.judge(
                offset, record, value, lambda one: fold.lawful(state, one, evolved=False)
            )
            assert verdict not in {Verdict.BROKEN, Verdict.DIVERGENT, Verdict.AHEAD}, (partition, offset, verdict)
            if verdict is Verdict.ACCEPTED and decided is not None:
                fold.apply(state, decided)
                outcomes.update(Outcome(code & ~REPEATED) for code in decided.outcomes)
                if has_facts(decided):
                    fact = encode_fact(record.kind, offset, record.body)
                    events += records_of(source_of(self.stage.namespace), partition, fact)
        return acceptance, events, outcomes

    async def verified(self) -> Count[Outcome]:
        """Every command has its one decision; every event was published, first occurrences in order, and no other.

        What came of the commands, over all partitions.
        """
        total = Count[Outcome]()
        for partition in range(self.stage.partitions):

            async def settled(partition=partition):
                end = await self.log.end(self.mine.commands.name, partition)
                acceptance, events, outcomes = await self.accepted(partition)
                published = await self.events(partition)
                done = acceptance.src == end - 1 and len({ce_id(one) for one in published}) >= len(events)
                return (events, outcomes, published) if done else None

            events, outcomes, published = await eventually(settled, within_s=20, every_s=0.2, what="all is published")
            firsts = {ce_id(one): (one.key, one.value, list(one.headers)) for one in reversed(published)}
            told = [firsts[place] for place in dict.fromkeys(map(ce_id, published))]
            assert told == [tuple(event) for event in events]
            assert [problem for one in published for problem in problems(one.headers, one.value)] == []
            total += outcomes
        return total


def ce_id(record: ConsumerRecord) -> bytes:
    return dict(record.headers)["ce_id"]


@asynccontextmanager
async def order_load(desk: Desk, *partitions: int, every_ms: int = 20, size: int = 5) -> AsyncIterator[Load]:
    """New orders for as long as the block lasts, one batch to each partition; afterwards everything is acked."""
    keys = itertools.count()

    def batches() -> list[tuple[int, bytes]]:
        return [
            (
                number,
                desk.batch(*(desk.born(number, f"load-{next(keys)}") for _ in range(size)), role=Role.RELAY),
            )
            for number in partitions
        ]

    async with loaded(desk, batches, every_ms) as running:
        yield running
