"""The system of record made again from the ledgers: row by row what the agent wrote from the events."""

import pytest

from adapters.sealing import Sealer
from adapters.sql.database import SqlAwayError
from adapters.sql.mails import MailQueue
from adapters.sql.pool_rows import pools_of
from adapters.sql.reading import Reader
from adapters.sql.schema import SCHEMA
from adapters.sql.store import ForeignLogError, Span, StockChunk, Store
from domain import orders as o
from domain.ids import order_text
from domain.outcomes import Outcome
from domain.payment import Operation, PayOutcome
from domain.roles import Role
from domain.stock import Adjust, SetPolicy
from ops.audit.source import MemorySource, Stream
from ops.sql_rebuild import Rebuild, RebuildError, Rebuilt
from streams.order_events import OrderEvent
from streams.order_records import events_of
from streams.records import DECIDED, decode_decided, decode_ledger
from streams.topics import named
from tests.adapters.tables import dump
from tests.ops.honest_log import LOG_ID, PRINT, HonestLog, ask, customer, order
from tests.ops.honest_orders import PRICE, Shop

TOPICS = named("test")
DERIVED = ("orders", "order_items", "order_events", "payments", "inventory", "cursors")


@pytest.fixture
def shop() -> Shop:
    """Sold, undone, declined and paid by another card, sealed; a restock and another price in between."""
    shop = Shop(units=10)
    shop.sell(1)
    shop.give_up(2)
    shop.stock.do(
        Adjust("shoe", 5, "restock", ""), SetPolicy("shoe", 2, PRICE + 1, "EUR", 2, 60_000, "key"), role=Role.OPS
    )
    shop.born(3)
    shop.pay(3, Operation.AUTHORISE, PayOutcome.DECLINED, 0, reason="insufficient_funds")
    shop.pay(3, Operation.VOID, PayOutcome.VOIDED, 0)
    shop.both(o.Method(order(3), customer(3), "pm_other"), role=Role.GATEWAY)
    shop.both(o.Cancel(order(4), bytes(8), customer(4)), role=Role.GATEWAY)
    shop.both(o.Ship(order(1), o.ALL_LINES, 0), role=Role.OPS)
    shop.stock.do(ask(5))
    grant = shop.stock.accepted.src, 0
    deadline = shop.stock.now_ms + 60_000
    born = o.Born(order(5), "shoe", customer(5), 1, PRICE, "EUR", deadline, PRINT, *grant, "pm_card_visa", b"sealed")
    shop.both(born, role=Role.RELAY)
    return shop


def decisions(log: HonestLog):
    """(offset, decision) of a ledger in memory."""
    for entry in log.ledger:
        record = decode_ledger(entry.value)
        if record.kind == DECIDED:
            yield entry.offset, decode_decided(record.body)


def events(shop: Shop) -> list[OrderEvent]:
    told = [event for offset, decided in decisions(shop.orders) for event in events_of(0, offset, decided)]
    return [event for event in told if isinstance(event, OrderEvent)]


def follow(database, shop: Shop, chunk: int = 3) -> Rebuild:
    """Write as the agent does, in small chunks; what would rebuild it."""
    store, told, stock = Store(database), events(shop), list(decisions(shop.stock))
    store.bind(LOG_ID)
    for start in range(0, len(told), chunk):
        some = told[start : start + chunk]
        store.apply(Span(TOPICS.order_events.name, 0, start, start + len(some) - 1), some)
    for start in range(0, len(stock), chunk):
        some = stock[start : start + chunk]
        span = Span(TOPICS.stock_events.name, 0, start, start + len(some) - 1)
        store.apply_all([], [StockChunk(span, pools_of(decided for _, decided in some), some[-1][0])])
    return rebuild_of(shop)


def rebuild_of(shop: Shop, source: MemorySource | None = None) -> Rebuild:
    ends = {(TOPICS.order_events.name, 0): len(events(shop)), (TOPICS.stock_events.name, 0): len(shop.stock.ledger) - 2}
    return Rebuild(source or shop.source(), TOPICS, LOG_ID, ends)


def test_what_is_rebuilt_is_row_by_row_what_was_written_live(database, shop):
    rebuild = follow(database, shop)
    live = dump(database, *DERIVED)
    assert {row["status"] for row in live["orders"]} == {"SHIPPED", "CANCELLED", "PAYMENT_PENDING"}
    assert {row["status"] for row in live["payments"]} == {"completed", "failed", "pending"}
    (pool,) = live["inventory"]
    assert (pool["received"], pool["sold"], pool["price"]) == (15, 1, PRICE + 1)
    assert rebuild.run(database) == Rebuilt(5, len(events(shop)), 1)
    assert dump(database, *DERIVED) == live


def test_an_empty_database_is_made_whole_and_nobody_gets_a_mail(database, shop):
    rebuild_of(shop).run(database)
    fresh = dump(database, *DERIVED)
    assert len(fresh["orders"]) == 5
    assert set(MailQueue(database).counts()) <= {"past"}
    follow(database, shop)
    assert dump(database, *DERIVED) == fresh, "the agent finds nothing to do"


def test_rows_that_somebody_spoiled_are_mended_and_those_of_no_ledger_stay(database, shop):
    rebuild = follow(database, shop)
    live = dump(database, *DERIVED)
    Sealer(database, b"m" * 32).seal(customer(1), order(1), b"{}")
    keys = dump(database, "customer_keys")
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE orders SET status = 'CONFIRMED', captured = 1, version = 99")
        connection.exec_driver_sql("DELETE FROM order_events WHERE sequence = 2")
        connection.exec_driver_sql("UPDATE inventory SET available = 0, received = received - available, version = 999")
    rebuild.run(database)
    assert dump(database, *DERIVED) == live
    assert dump(database, "customer_keys") == keys != {"customer_keys": []}


def test_what_the_agent_had_not_told_yet_is_news_for_its_customer(database, shop):
    store, told = Store(database), events(shop)
    store.bind(LOG_ID)
    store.apply(Span(TOPICS.order_events.name, 0, 0, 9), told[:10])
    before = MailQueue(database).counts()
    shop.both(o.Cancel(order(5), bytes(8), customer(5)), role=Role.GATEWAY)
    shop.pay(5, Operation.VOID, PayOutcome.VOIDED, 0)
    shop.both(o.LineAnswered(order(5), 0, "release", Outcome.RELEASED), role=Role.RELAY)
    rebuild_of(shop).run(database)
    assert (before, MailQueue(database).counts()) == ({}, {"due": 1})


def test_a_ledger_that_does_not_hold_changes_nothing(database, shop):
    follow(database, shop)
    live = dump(database)
    for stream, log in ((Stream.ORDER_LEDGER, shop.orders), (Stream.LEDGER, shop.stock)):
        good = shop.source()
        entries = {(one, 0): list(good.read(one, 0)) for one in Stream}
        broken = entries[stream, 0][-1]
        entries[stream, 0][-1] = broken._replace(value=broken.value[:-1] + bytes((broken.value[-1] ^ 1,)))
        with pytest.raises(RebuildError, match="turnstile verify"):
            rebuild_of(shop, MemorySource(1, entries)).run(database)
        assert dump(database) == live
        assert log.ledger


def test_a_copy_of_another_log_is_refused_until_it_is_rebuilt(database, shop):
    rebuild = follow(database, shop)
    live = dump(database, *DERIVED)
    other = bytes(16)
    with database.writing() as connection:
        connection.execute(SCHEMA.update().values(log_id=other.hex()))
    with pytest.raises(ForeignLogError, match="turnstile sql rebuild"):
        Store(database).bind(LOG_ID)
    Store(database).bind(other)
    assert Reader(database, other.hex()).find(order_text(order(1)))
    with pytest.raises(SqlAwayError, match="turnstile sql rebuild"):
        Reader(database, LOG_ID.hex()).find(order_text(order(1)))
    rebuild.run(database)
    Store(database).bind(LOG_ID)
    assert dump(database, *DERIVED) == live
