"""How facts become records: stock's as they are, those of orders as events that are acked together."""

import asyncio
import random

import pytest

from agents import order_facts
from agents.order_facts import OrderFacts
from agents.stock_facts import StockFacts
from streams.effects import Publish
from streams.machine import Member, PartitionMachine
from streams.order_events import EventRecord
from streams.records import decode_ledger, encode_fact
from tables.stock import StockFold
from tests.ops.honest_log import HonestLog


class Producer:
    """aiokafka's, as far as it is used: every send is acked by hand."""

    def __init__(self):
        self.sent = []

    async def send(self, topic, value, *, partition, key=None, headers=None):
        ack = asyncio.get_running_loop().create_future()
        self.sent.append(((topic, partition, key, value, headers), ack))
        return ack


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
