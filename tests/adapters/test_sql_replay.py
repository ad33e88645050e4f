"""Whatever order.events delivers again, and however its records are cut into chunks: the rows are the same."""

import stat
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database, SchemaError, SqlAwayError
from adapters.sql.pool_rows import Pool, Pools, Price
from adapters.sql.reading import NOWHERE, Cursor, CursorError, Reader
from adapters.sql.rows import GapError
from adapters.sql.schema import METADATA, SCHEMA
from adapters.sql.store import Span, StockChunk, Store
from tests.adapters.journeys import PATHS, customer_of, interleaved, journey, order_of
from tests.adapters.tables import dump

TOPIC = "order.events"
ROWS = ("orders", "order_items", "order_events", "payments", "mails")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request, tmp_path_factory):
    """One database for all examples of a test, emptied for each."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path_factory.mktemp('sql') / 'turnstile.db'}")
    else:
        database = Database(request.getfixturevalue("postgres").database(f"t{uuid.uuid4().hex}"))
    yield database
    database.close()


def empty(database: Database) -> None:
    with database.writing() as connection:
        for table in METADATA.sorted_tables:
            if table is not SCHEMA:
                connection.execute(delete(table))


@st.composite
def deliveries(draw):
    """(events in order, records of the topic, chunks as (first, last)): records repeat events that came before, chunks
    may begin again anywhere before, but leave no hole."""
    paths = draw(st.lists(st.sampled_from(sorted(PATHS)), min_size=1, max_size=4))
    events = interleaved(paths, sealed=b"sealed")
    records = []
    for at, event in enumerate(events):
        records.append(event)
        if draw(st.integers(0, 9)) == 0:
            records += events[draw(st.integers(0, at)) : at + 1]
    chunks, at = [], 0
    while at < len(records):
        first = draw(st.integers(max(0, at - 12), at)) if draw(st.booleans()) else at
        last = min(len(records), max(at, first + draw(st.integers(1, 25)))) - 1
        chunks.append((first, last))
        at = max(at, last + 1)
    chunks.append((0, len(records) - 1))
    return events, records, chunks


@pytest.mark.slow
@settings(max_examples=20)
@given(deliveries())
def test_repeated_records_and_chunks_leave_the_rows_of_one_delivery(shared, case):
    events, records, chunks = case
    empty(shared)
    Store(shared).apply(Span(TOPIC, 0, 0, len(events) - 1), events)
    once = dump(shared, *ROWS)
    empty(shared)
    store, fresh = Store(shared), 0
    for first, last in chunks:
        applied = store.apply(Span(TOPIC, 0, first, last), records[first : last + 1])
        assert applied.missing_from < 0
        fresh += applied.fresh
    assert fresh == len(events)
    assert dump(shared, *ROWS) == once
    assert Reader(shared).cursors(TOPIC)[0] == Cursor(events[-1].offset, events[-1].index, len(records) - 1)


@pytest.mark.slow
@settings(max_examples=10)
@given(st.lists(st.sampled_from(sorted(PATHS)), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_even_without_cursors_a_replay_of_everything_changes_no_row(shared, paths, random):
    """As when somebody deletes them: versions and ids alone keep the rows."""
    events = interleaved(paths)
    empty(shared)
    store = Store(shared)
    store.apply(Span(TOPIC, 0, 0, len(events) - 1), events)
    before = dump(shared, *ROWS)
    with shared.writing() as connection:
        connection.exec_driver_sql("DELETE FROM cursors")
    size = random.randint(1, len(events))
    for start in range(0, len(events), size):
        some = events[start : start + size]
        store.apply(Span(TOPIC, 0, start, start + len(some) - 1), some)
    assert dump(shared, *ROWS) == before


def test_orders_of_other_partitions_keep_their_own_cursors(database):
    store = Store(database)
    for partition in range(3):
        events = list(journey(partition, partition=partition, first=50))
        store.apply(Span(TOPIC, partition, 0, len(events) - 1), events)
    assert Reader(database).cursors(TOPIC) == {partition: Cursor(54, 0, 6) for partition in range(3)}


def test_an_event_whose_predecessor_never_came_is_refused_and_nothing_is_written(database):
    events = list(journey(1))
    store = Store(database)
    store.apply(Span(TOPIC, 0, 0, 2), events[:3])
    before = dump(database)
    with pytest.raises(GapError, match="sql rebuild"):
        store.apply(Span(TOPIC, 0, 3, 4), events[5:])
    assert dump(database) == before


def test_a_customers_orders_are_listed_newest_first_page_by_page_while_others_come(database):
    store, reader, mine = Store(database), Reader(database), customer_of(0)
    at = 0

    def come(number: int, customer: str) -> None:
        nonlocal at
        events = list(journey(number, "expired", first=1 + 10 * number, customer=customer))
        store.apply(Span(TOPIC, 0, at, at + len(events) - 1), events)
        at += len(events)

    for number in range(25):
        come(number, mine if number % 5 else customer_of(1))
    seen, cursor, pages = [], "", 0
    while pages == 0 or cursor:
        page = reader.list_of(mine, cursor, 6)
        seen += [order.order for order in page.orders]
        cursor, pages = page.cursor, pages + 1
        come(100 + pages, mine)
    assert seen == [order_of(number) for number in reversed(range(25)) if number % 5]
    assert pages == 4
    assert all(order.lines for order in reader.list_of(mine).orders)
    assert reader.list_of("nobody") == ([], "")
    for bad in ("x", "", "AAAA", "MTIz", "é"):
        if bad:
            with pytest.raises(CursorError):
                reader.list_of(mine, bad)


def test_a_pool_never_goes_back_and_never_below_zero(database):
    store, span = Store(database), Span("stock.events", 0, 0, 0)
    pool = Pool("shoe", available=7, reserved=2, sold=1, written_off=0, received=10, version=9, updated_at=5)
    store.apply_all([], [StockChunk(span, Pools({"shoe": pool}, {"shoe": Price("shoe", 100, "EUR", 1, 5)}), 9)])
    older = pool._replace(available=10, reserved=0, sold=0, version=1)
    store.apply_all([], [StockChunk(span, Pools({"shoe": older}, {"shoe": Price("shoe", 50, "EUR", 0, 1)}), 1)])
    (row,) = dump(database, "inventory")["inventory"]
    assert (row["available"], row["version"], row["price"], row["updated_at"]) == (7, 9, 100, 5)
    below = pool._replace(available=-1, sold=9, version=10)
    with pytest.raises(IntegrityError):
        store.apply_all([], [StockChunk(span, Pools({"shoe": below}, {}), 10)])
    lost = pool._replace(received=11, version=10)
    with pytest.raises(IntegrityError):
        store.apply_all([], [StockChunk(span, Pools({"shoe": lost}, {}), 10)])


def test_a_database_of_a_later_version_is_refused(database, url):
    assert Reader(database).cursors(TOPIC).get(0, NOWHERE) == NOWHERE
    with database.writing() as connection:
        connection.execute(SCHEMA.update().values(version=99))
    later = Database(url)
    with pytest.raises(SchemaError, match="later turnstile"):
        Reader(later).find(order_of(1))
    later.close()


@pytest.mark.parametrize("url", ["", "mysql://x", "turnstile.db", "postgresql:"])
def test_another_kind_of_database_is_refused(url):
    with pytest.raises(ValueError, match="TURNSTILE_SQL"):
        Database(url)


def test_a_file_is_for_its_user_alone(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'turnstile.db'}")
    Reader(database).find(order_of(1))
    with database.writing() as connection:
        connection.execute(SCHEMA.update().values(version=1))
        files = list(tmp_path.iterdir())
        assert len(files) == 3
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    database.close()


def test_a_server_that_is_away_says_so(tmp_path):
    for url in (f"sqlite:///{tmp_path}/none/turnstile.db", f"postgresql://x@/y?host={tmp_path}"):
        database = Database(url)
        with pytest.raises(SqlAwayError):
            Reader(database).find(order_of(1))
        database.close()
