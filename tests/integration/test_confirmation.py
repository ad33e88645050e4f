"""The confirmation role on the real broker: nothing is lost and nothing is there twice, whatever dies or is away."""

import asyncio

import pytest

from adapters.sealing import Sealer
from adapters.sql.database import Database
from adapters.sql.mails import MailQueue
from adapters.sql.reading import Reader
from adapters.sql.store import Span, Store
from agents import exits
from domain.ids import home_partition, order_text, parse_order
from domain.orders import ALL_LINES, Ask, Booked, Ship
from domain.roles import Role
from streams import kafka, keys
from streams.order_events import OrderEvent, encode, source_of
from streams.order_records import BATCHES
from tests.adapters.journeys import interleaved, journey, order_of
from tests.adapters.postgres import PostgresServer
from tests.adapters.tables import dump
from tests.integration.desk import Desk
from tests.integration.hands import hands
from tests.integration.harness import Program, Stage, eventually

pytestmark = pytest.mark.integration
ADDRESS = b'{"name":"Ada Unmistakable","email":"ada@unmistakable.example"}'
"""A word that no sealed bytes happen to spell."""
ROWS = ("orders", "order_items", "order_events", "payments", "mails")


async def publish(stage: Stage, *events: OrderEvent) -> None:
    """As an order owner does, in order."""
    producer = kafka.producer(stage.servers, "test-owner")
    await producer.start()
    try:
        topic, source = stage.topics.order_events.name, source_of(stage.namespace)
        for event in events:
            key, value, headers = encode(event, source)
            sent = await producer.send(topic, value, key=key, partition=event.partition, headers=headers)
        await sent
    finally:
        await producer.stop()


async def booked(stage: Stage, log, partition: int = 0) -> list[Booked]:
    """What orders were told."""
    topic = stage.topics.order_commands.name
    batches = [BATCHES.decode(record.value) async for record in log.read(topic, partition, 1)]
    assert {batch.role for batch in batches} <= {Role.CONFIRMATION}
    return [command for batch in batches for command in batch.commands()]


class Copy:
    """The agent and its database."""

    def __init__(self, stage: Stage, url: str) -> None:
        self.database = Database(url)
        self.reader = Reader(self.database)
        self._stage = stage
        self.url = url

    def agent(self, name: str) -> Program:
        return self._stage.program(name, "agents", "confirmation", worker=name, sql=self.url, metrics_port=-1)

    async def until(self, status: str, *orders: str) -> None:
        """Wait until the tables say so of all these orders."""

        def reached() -> bool:
            found = [self.reader.find(order) for order in orders]
            return all(order and order.status == status for order in found)

        await eventually(reached, within_s=40, what=f"{len(orders)} orders {status}")


@pytest.fixture
def copy(stage):
    """On SQLite."""
    copy = Copy(stage, f"sqlite:///{stage.data_dir / 'turnstile.db'}")
    yield copy
    copy.database.close()


async def test_orders_are_copied_and_told_once_they_are_booked(stage, log, copy):
    for topic in (stage.topics.order_events.name, stage.topics.stock_events.name):
        await log.append(topic, 0, b"what no owner writes")
    await publish(stage, *journey(1))
    with copy.agent("c1") as agent:
        await copy.until("CONFIRMED", order_of(1))
        told = await eventually(lambda: booked(stage, log), what="Booked")
        assert set(told) == {Booked(parse_order(order_of(1)), 4)}
        for topic in (stage.topics.order_events.name, stage.topics.stock_events.name):
            await agent.until_logged("event.unreadable", topic=topic, offset=0)
        await publish(stage, *journey(2, partition=3))
        await copy.until("CONFIRMED", order_of(2, 3))
        assert agent.stop() == exits.STOPPED
    assert [order.order for order in copy.reader.list_of(copy.reader.find(order_of(1)).customer).orders] == [
        order_of(1)
    ]


async def test_an_agent_killed_between_its_transaction_and_its_ack_leaves_the_rows_of_one_that_was_not(
    stage, log, copy, tmp_path
):
    events = interleaved(["done", "returned", "declined"] * 30)
    half = len(events) // 2
    with copy.agent("c1") as agent:
        await publish(stage, *events[:half])
        await eventually(lambda: _reached(copy, stage) > (-1, -1), within_s=40)
        agent.kill()  # what is committed to Kafka is 0.25 s behind
        agent.start()
        await publish(stage, *events[half:])
        await eventually(lambda: _reached(copy, stage) == (events[-1].offset, events[-1].index), within_s=40)
        asked = {event.order for event in events if event.asks and event.asks[0].kind == "confirm"}
        told = await eventually(lambda: _told(stage, log, asked), what="all are told")
    assert {command.order for command in told} == {parse_order(order) for order in asked}
    unhurt = Database(f"sqlite:///{tmp_path / 'unhurt.db'}")
    Store(unhurt).apply(Span(stage.topics.order_events.name, 0, 0, len(events) - 1), events)
    assert dump(copy.database, *ROWS) == dump(unhurt, *ROWS)
    unhurt.close()


def _reached(copy: Copy, stage: Stage) -> tuple[int, int]:
    cursor = copy.reader.cursors(stage.topics.order_events.name).get(0)
    return cursor[:2] if cursor else (-1, -1)


async def _told(stage: Stage, log, asked: set[str]) -> list[Booked]:
    told = await booked(stage, log)
    return told if {command.order for command in told} >= {parse_order(order) for order in asked} else []


async def test_while_sql_is_away_nothing_is_lost_and_it_goes_on_when_it_is_back(stage, log):
    with PostgresServer() as server:
        copy = Copy(stage, server.database("away"))
        with copy.agent("c1") as agent:
            await publish(stage, *journey(1))
            await copy.until("CONFIRMED", order_of(1))
            server.stop()
            await publish(stage, *journey(2, first=100))
            await agent.until_logged("sql.away")
            server.start()
            await agent.until_logged("sql.back")
            await copy.until("CONFIRMED", order_of(2))
            assert agent.stop() == exits.STOPPED
        copy.database.close()


async def test_a_database_restored_from_an_older_copy_is_filled_from_the_log_without_a_second_mail(stage, copy):
    sealed = b"by another key"
    first = list(journey(1, sealed=sealed))
    with copy.agent("c1") as agent:
        await publish(stage, *first, *journey(2, first=100, sealed=sealed))
        await copy.until("CONFIRMED", order_of(1), order_of(2))
        assert agent.stop() == exits.STOPPED
    before = dump(copy.database)
    copy.database.close()
    for path in stage.data_dir.glob("turnstile.db*"):
        path.unlink()
    Store(copy.database).apply(Span(stage.topics.order_events.name, 0, 0, len(first) - 1), first, mail=False)
    with copy.agent("c2") as agent:
        await publish(stage, *journey(3, first=200, sealed=sealed))
        await copy.until("CONFIRMED", order_of(1), order_of(2), order_of(3))
        await agent.until_logged("sql.hole", partition=0)
        await agent.until_logged("mail.failed", order=order_of(3))
        assert agent.stop() == exits.STOPPED
    after = dump(copy.database)
    assert all(row in after["order_events"] for row in before["order_events"])
    states = {row["order_id"]: row["state"] for row in after["mails"]}
    assert states == {order_of(1): "past", order_of(2): "past", order_of(3): "failed"}


async def test_orders_of_a_real_owner_are_confirmed_and_their_rows_rebuilt_from_its_ledger(stage, log, copy):
    desk = Desk(stage, log)
    sealer = Sealer(copy.database, keys.load_address(stage.data_dir))
    born = [desk.born(number % stage.partitions, f"k{number}") for number in range(20)]
    born = [one._replace(shipping=sealer.seal(one.customer, one.order, ADDRESS)) for one in born]
    with stage.program("o1", "agents", "order", worker="o1"), copy.agent("c1"):
        async with hands(desk, idle={Ask.CONFIRM}):
            for one in born:
                await desk.send(home_partition(one.order), one, role=Role.RELAY)
            await copy.until("CONFIRMED", *(order_text(one.order) for one in born))
        await eventually(lambda: MailQueue(copy.database).counts() == {"sent": 20}, within_s=30)
        assert len(list((stage.data_dir / "mail").glob("*.eml"))) == 20
        live = dump(copy.database, *ROWS)
        with copy.database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM orders")
            connection.exec_driver_sql("UPDATE payments SET captured = 0")
        turnstile = stage.program("cli", "ops", "sql", "rebuild", "--json", sql=copy.url)
        with turnstile:
            assert await asyncio.to_thread(turnstile.process.wait, 60) == 0, turnstile.tail()
        (said,) = turnstile.lines()
        assert (said["orders"], said["pools"]) == (20, 0)
        assert dump(copy.database, *ROWS) == live
        await desk.send(0, Ship(born[0].order, ALL_LINES, 0), role=Role.OPS)
        await copy.until("SHIPPED", order_text(born[0].order))
        await eventually(lambda: MailQueue(copy.database).counts() == {"sent": 21}, within_s=30)
    for topic in stage.topics:
        for partition in range(stage.partitions):
            for record in await desk.raw(topic.name, partition):
                assert b"nmistakable" not in (record.value or b""), f"an address in clear in {topic.name}"
