"""An order worker as a process, on a real broker: the same machine as stock's, another fold."""

import json

import pytest

from domain.outcomes import Outcome
from domain.roles import Role
from ops.topics_admin import TopicsAdmin
from streams.order_events import Decided, OrderEvent, decode
from tests.integration.desk import Desk
from tests.integration.harness import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def desk(stage, log):
    return Desk(stage, log)


def order_worker(stage, name: str):
    return stage.program(name, "agents", "order", worker=name)


async def test_commands_become_events_with_the_order_as_key(stage, desk):
    with order_worker(stage, "o1") as worker:
        for partition in range(stage.partitions):
            await worker.until_logged("partition.claimed", partition=partition)
        born = desk.born(2, "k")
        assert await desk.outcomes(2, born, born, role=Role.RELAY) == [Outcome.BORN, Outcome.UNCHANGED]

        async def told():
            return await desk.events(2)

        records = await eventually(told, what="an event")
        events = [decode(record.headers, record.value) for record in records]
        assert all(isinstance(event, OrderEvent) for event in events)
        assert {record.key.decode() for record in records} == {events[0].order}
        assert "authorise" in [ask.kind for event in events for ask in event.asks]
        assert worker.stop() == 0
        assert len(worker.logged("partition.yielded")) == stage.partitions
    assert (await desk.verified())[Outcome.BORN] == 1


async def test_a_gateway_s_batch_is_answered_on_the_events_topic(stage, desk):
    with stage.program("o1", "ops", "worker", "--role", "order", "--name", "o1") as worker:
        assert (await worker.until_logged("program.started"))["worker"] == "o1"
        offset = await desk.send(0, desk.born(0, "k"), role=Role.GATEWAY)

        async def told():
            return await desk.events(0)

        (record,) = await eventually(told, what="an answer")
        answer = decode(record.headers, record.value)
        assert isinstance(answer, Decided)
        assert (answer.sender, answer.src, answer.outcomes) == ("desk", offset, [Outcome.FORBIDDEN])
        assert record.key == b"desk"
    await desk.verified()


async def test_an_undecodable_record_is_buried_and_the_partition_goes_on(stage, desk):
    with order_worker(stage, "o1") as worker:
        offset = await desk.append(0, b"\x01\x01 this is no batch")
        assert (await desk.decision(0, offset)).outcomes == [Outcome.MALFORMED]
        assert await desk.outcomes(0, desk.born(0, "k"), role=Role.RELAY) == [Outcome.BORN]
        await worker.until_logged("dead-letter.written", partition=0, offset=offset)
        (letter,) = await desk.raw(stage.topics.dead_letters.name, 0)
        assert dict(letter.headers)["topic"] == stage.topics.order_commands.name.encode()
    await desk.verified()


async def test_what_no_worker_decides_an_operator_rules_on_and_sees(stage, desk):
    src = await desk.send(0, desk.born(0, "k"), role=Role.RELAY)
    command = ("ledger", "rule", "0", str(src), "--reason", "stuck", "--operator", "ann", "--ledger", "order")
    with stage.program("rule", "ops", *command) as ruling:
        await eventually(lambda: ruling.returncode is not None, within_s=30)
        assert ruling.returncode == 0, ruling.tail()
    with order_worker(stage, "o1"):
        assert await desk.outcomes(0, desk.born(0, "k"), role=Role.RELAY) == [Outcome.BORN]
    assert (await desk.verified())[Outcome.FAULT] == 1
    show = ("ledger", "show", "0", "--ledger", "order", "--from", "0", "--json")
    with stage.program("show", "ops", *show) as showing:
        await eventually(lambda: showing.returncode is not None, within_s=30)
        shown = [json.loads(line) for line in showing.log.read_text().splitlines()]
    kinds = [line["kind"] for line in shown]
    assert (kinds[0], kinds.count("ruling")) == ("genesis", 1)
    events = [event for line in shown for event in line.get("events", ())]
    assert {event["state"] for event in events} >= {"PAYMENT_PENDING"}


async def test_without_the_topics_of_orders_it_says_what_to_do_and_stock_goes_on(stage):
    async with TopicsAdmin(stage.servers) as admin:
        await admin.delete([stage.topics.order_commands.name, stage.topics.order_ledger.name])
    worker = order_worker(stage, "o1")
    with stage.worker("w1") as stock:
        worker.start()
        await stock.until_logged("partition.claimed", partition=0)
        await eventually(lambda: worker.returncode is not None, within_s=30)
    assert worker.returncode == 69
    assert "turnstile topics apply" in worker.tail()
