"""The tables say of every order what its owner's own state says, whatever happened to it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sql.database import Database
from adapters.sql.reading import Reader, StoredLine
from adapters.sql.store import Span, Store
from domain.ids import Receipt, order_text
from domain.order_row import Order
from domain.order_rules import OrderRules
from domain.outcomes import Outcome
from streams.order_events import OrderEvent, decode, encode
from tests.adapters.tables import dump
from tests.domain.order_scenario import parse, role_of
from tests.properties.order_partition import OrderPartition
from tests.properties.test_order_events import AFTER_MS, HAPPY, JOURNEYS, TEXTS

HISTORIES = st.lists(st.tuples(st.sampled_from(AFTER_MS), st.lists(st.sampled_from(TEXTS), max_size=6)), max_size=25)
AFTERWARDS = (
    "ship o1 1 1", "ship o1", "deliver o1 1 1", "deliver o1", "refund o1 f1 50", "refunded o1#1 f1",
    "return o1 r1 1 1 restock", "returned o1/1 r1", "refunded o1#1 r1", "return o1 r2 all 0 scrap", "returned o1/2 r2",
    "refunded o1#1 r2", "cancel o1 ann",
)  # fmt: skip


def told(partition: OrderPartition, texts, after_ms: int = 0) -> list[OrderEvent]:
    """What comes of commands, a record each, as it is read from the topic."""
    partition.clk += after_ms
    events = []
    for text in texts or ["tick"]:
        if text == "tick":
            partition.record()
        else:
            command = parse(text, partition.clk)
            partition.record(command, role=role_of(command, text))
        records = [encode(event, "test") for event in partition.events()]
        events += [decode(record.headers, record.value) for record in records]
    return events


def check(partition: OrderPartition, database: Database) -> None:
    """The tables against the owner's rows."""
    reader = Reader(database)
    payments = {row["payment_id"]: row for row in dump(database, "payments")["payments"]}
    for row in partition.owner.rows:
        stored = reader.find(order_text(row.order))
        assert stored is not None
        assert (stored.status, stored.version, stored.sequence) == (row.public, row.version, row.sequence)
        assert stored.customer == row.customer.hex()
        history = reader.history(stored.order)
        steps = [event for event in history if event.to]
        assert [event.sequence for event in steps] == list(range(1, row.sequence + 1))
        assert all(event.came_from != event.to for event in steps)
        assert [event.came_from for event in steps[1:]] == [event.to for event in steps[:-1]]
        if isinstance(row, Order):
            check_row(stored, row)
            paid = [payments[f"{stored.order}:{attempt}"] for attempt in range(1, row.attempt + 1)]
            assert {payment["status"] for payment in paid[:-1]} <= {"failed"}
            assert [(one["captured"], one["refunded"]) for one in paid[-1:]] == [(row.captured, row.refunded)] * bool(
                paid
            )
            assert len({payment["idempotency_key"] for payment in paid}) == len(paid)


def check_row(stored, row: Order) -> None:
    assert (stored.pay, stored.attempt, stored.amount, stored.captured, stored.refunded) == (
        row.pay, row.attempt, row.amount, row.captured, row.refunded,
    )  # fmt: skip
    assert (stored.intent, stored.currency) == (row.intent, row.currency)
    assert stored.method == row.method or not row.method, "the owner forgets it once nothing is owed by it"
    assert (stored.deadline_ms, stored.reason, stored.partial) == (row.deadline_ms, row.reason, row.partial)
    assert stored.receipt == str(Receipt(0, row.offset, row.position))
    for line, known in zip(stored.lines, row.lines, strict=True):
        expected = StoredLine(
            known.line, known.sku, known.partition, known.quantity, known.state,
            None if known.unit_price < 0 else known.unit_price, "" if known.unit_price < 0 else row.currency,
            known.deadline_ms, Outcome(known.reason).label if known.reason else "", known.shipped, known.delivered,
            known.returned,
        )  # fmt: skip
        assert line == expected


def applied(database: Database, events, start: int = 0) -> int:
    """Through the store, as one chunk; where the next one begins."""
    if events:
        Store(database).apply(Span("order.events", 0, start, start + len(events) - 1), events)
    return start + len(events)


@pytest.mark.parametrize("name", JOURNEYS)
def test_the_tables_follow_each_story_step_by_step(database, name):
    partition, end = OrderPartition(), 0
    for text in JOURNEYS[name]:
        end = applied(database, told(partition, [text], 1_000), end)
        check(partition, database)


def test_the_tables_follow_an_order_that_is_shipped_refunded_and_returned(database):
    partition, end = OrderPartition(), 0
    for text in (*HAPPY, *AFTERWARDS):
        end = applied(database, told(partition, [text], 1_000), end)
        check(partition, database)
    (order,) = [row.order for row in partition.owner.rows]
    assert Reader(database).find(order_text(order)).status == "REFUNDED"


@pytest.mark.slow
@settings(max_examples=40)
@given(history=HISTORIES)
def test_the_tables_follow_whatever_is_sent(tmp_path_factory, history):
    partition = OrderPartition(OrderRules(sweep_max=2, resume_max=1, early_per_customer=2))
    events = [event for after_ms, texts in history for event in told(partition, texts, after_ms)]
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('sql') / 'turnstile.db'}")
    applied(database, events)
    check(partition, database)
    database.close()
