"""The system of record, on SQLite and on PostgreSQL: what a chunk of events leaves in it, whatever comes again."""

from sqlalchemy import select

from adapters.sql.database import Database
from adapters.sql.reading import Cursor, Reader
from adapters.sql.schema import ORDER_ITEMS, PAYMENTS
from adapters.sql.store import Span, Store
from tests.adapters.journeys import PRICE, TIME_MS, customer_of, interleaved, journey, order_of
from tests.adapters.tables import dump

TOPIC = "order.events"


def feed(database: Database, events, *, chunk: int = 1_000, partition: int = 0, first: int = 0) -> int:
    """Apply events as consecutive records of the topic; the offset behind them."""
    store = Store(database)
    events = list(events)
    for start in range(0, len(events), chunk):
        some = events[start : start + chunk]
        applied = store.apply(Span(TOPIC, partition, first + start, first + start + len(some) - 1), some)
        assert applied.missing_from < 0
    return first + len(events)


def test_a_confirmed_order_is_told_in_rows(database):
    feed(database, journey(7))
    order = Reader(database).find(order_of(7))
    assert order._replace(lines=()) == (
        order_of(7), customer_of(7), "CONFIRMED", 5, 5, 0, False, "", "", "K", 1, "pm_card_visa", "pi_7", "",
        2 * PRICE, "EUR", 2 * PRICE, 0, 0, "0:1:0", False, TIME_MS + 1, TIME_MS + 5, (),
    )  # fmt: skip
    with database.reading() as connection:
        (line,) = connection.execute(select(ORDER_ITEMS)).mappings()
        (payment,) = connection.execute(select(PAYMENTS)).mappings()
    assert (line["product_id"], line["quantity"], line["unit_price"], line["subtotal"]) == ("sku", 2, PRICE, 2 * PRICE)
    assert line["state"] == "s"
    assert dict(payment) == {
        "payment_id": f"{order_of(7)}:1", "order_id": order_of(7), "attempt": 1,
        "idempotency_key": f"{order_of(7)}:1:authorise", "amount": 2 * PRICE, "currency": "EUR", "status": "completed",
        "provider_id": "pi_7", "captured": 2 * PRICE, "refunded": 0, "created_at": TIME_MS + 1,
        "completed_at": TIME_MS + 4,
    }  # fmt: skip


def test_the_history_has_every_transition_once_and_none_from_a_state_to_itself(database):
    feed(database, journey(1, "returned"), chunk=3)
    history = Reader(database).history(order_of(1))
    steps = [(event.sequence, event.came_from, event.to) for event in history if event.to]
    states = ["CREATED", "RESERVED", "PAYMENT_PENDING", "PAID", "CONFIRMED", "SHIPPED", "DELIVERED", "REFUND_PENDING"]
    states.append("REFUNDED")
    assert steps == [(i, before, to) for i, (before, to) in enumerate(zip([None, *states], states, strict=False), 1)]
    assert [event.event_id for event in history[:3]] == ["0:1:0", "0:1:1", "0:1:2"]
    assert history[3].kind == "progressed"
    assert history[3].data["pay"] == "H"
    assert history[0].data["lines"][0]["sku"] == "sku"


def test_chunks_of_any_size_leave_the_same_rows(database, tmp_path):
    events = interleaved(["done", "shipped", "returned", "declined", "expired"])
    feed(database, events, chunk=1)
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    feed(other, events, chunk=7)
    assert dump(database) == dump(other)
    other.close()


def test_a_chunk_that_comes_again_changes_nothing(database):
    events = interleaved(["done", "returned", "declined"])
    feed(database, events)
    before = dump(database)
    applied = Store(database).apply(Span(TOPIC, 0, 0, len(events) - 1), events)
    assert (applied.fresh, applied.repeated) == (0, len(events))
    assert dump(database) == before


def test_a_chunk_behind_a_hole_is_not_applied(database):
    events = list(journey(1))
    end = feed(database, events[:3])
    applied = Store(database).apply(Span(TOPIC, 0, end + 2, end + 3), events[5:7])
    assert applied == (0, 0, 0, 0, {(TOPIC, 0): end})
    assert Reader(database).cursors(TOPIC) == {0: Cursor(1, 2, end - 1)}
