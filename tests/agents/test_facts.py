"""How facts become records: stock's as they are, those of orders as events that are acked together."""

import asyncio
import random

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch

from agents import order_facts, stock_facts
from agents.order_facts import OrderFacts
from agents.stock_facts import StockFacts
from domain import roles
from streams.effects import Publish, Role
from streams.machine import Member, PartitionMachine
from streams.order_events import EventRecord
from streams.records import decode_ledger, encode_fact
from streams.stock_records import decode_hint
from tables.stock import StockFold
from tests.ops.honest_log import HonestLog
from tests.properties.commands import sale

BATCH_BYTES = 1_024
"""Of a producer's batch: a few hints."""


class Producer:
    """aiokafka's, as far as it is used: every send is acked by hand."""

    def __init__(self):
        self.sent = []

    async def send(self, topic, value, *, partition, key=None, headers=None):
        ack = asyncio.get_running_loop().create_future()
        self.sent.append(((topic, partition, key, value, headers), ack))
        return ack

    def create_batch(self):
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch, topic, *, partition):
        records = list(DefaultRecordBatch(batch._build()))
        return await self.send(topic, [(record.key, record.value) for record in records], partition=partition)


def failed(what, error):
    raise AssertionError(what) from error


@pytest.fixture
def machine():
    return PartitionMachine(StockFold(), 3, Member("w", "w@1", "1"), random.Random(1))


async def test_a_fact_of_stock_is_one_record_as_it_is(machine):
    log = HonestLog()
    log.claim("w1")
    log.open_sale()
    record = decode_ledger(log.ledger[-1].value)
    fact = encode_fact(record.kind, log.ledger[-1].offset, record.body)
    producer = Producer()
    facts = StockFacts("events", "pools", machine, producer, failed)
    ack = await facts.send(Publish(2, fact))
    assert [one for one, _ in producer.sent] == [("events", 3, None, fact, None)]
    assert not ack.done()


async def test_every_touched_pool_is_hinted_at_once_in_as_many_batches_as_it_takes(machine, monkeypatch):
    monkeypatch.setattr(stock_facts, "EVERY_S", 0.001)
    skus = [f"sku-{number}" for number in range(50)]
    machine.role = Role.OWNER
    machine.fold.decide(machine.state, [one for sku in skus for one in sale(sku, 5)], roles.Role.OPS, 1, 1_000)
    producer = Producer()
    facts = StockFacts("events", "pools", machine, producer, failed)
    facts.on_owning()
    writing = asyncio.create_task(facts.run())
    async with asyncio.timeout(10):
        while sum(len(value) for (_, _, _, value, _), _ in producer.sent) < len(skus):
            await asyncio.sleep(0)
    writing.cancel()
    assert {(topic, partition) for (topic, partition, *_), _ in producer.sent} == {("pools", 3)}
    assert len(producer.sent) > 1
    hinted = [(key, decode_hint(hint)) for (_, _, _, records, _), _ in producer.sent for key, hint in records]
    assert [key.decode() for key, _ in hinted] == skus
    assert [(hint.sku, hint.available) for _, hint in hinted] == [(sku, 5) for sku in skus]


async def test_a_fact_of_orders_is_acked_when_all_its_events_are(machine, monkeypatch):
    records = [EventRecord(b"o1", b"{}", [("ce_id", b"3:9:0")]), EventRecord(b"o2", b"[]", [("ce_id", b"3:9:1")])]
    monkeypatch.setattr(order_facts, "records_of", lambda source, partition, fact: records)
    producer = Producer()
    ack = await OrderFacts("events", "/here", machine, producer, failed).send(Publish(9, b"fact"))
    assert [one for one, _ in producer.sent] == [("events", 3, *record) for record in records]
    producer.sent[1][1].set_result(None)
    await asyncio.sleep(0)
    assert not ack.done()
    producer.sent[0][1].set_result(None)
    await ack


async def test_a_fact_without_events_is_acked_at_once_and_a_failed_event_fails_it(machine, monkeypatch):
    producer = Producer()
    facts = OrderFacts("events", "/here", machine, producer, failed)
    monkeypatch.setattr(order_facts, "records_of", lambda *_: [])
    assert await (await facts.send(Publish(9, b"fact"))) == []
    monkeypatch.setattr(order_facts, "records_of", lambda *_: [EventRecord(b"o", b"{}", [])])
    ack = await facts.send(Publish(10, b"fact"))
    producer.sent[0][1].set_exception(ConnectionError())
    with pytest.raises(ConnectionError):
        await ack
