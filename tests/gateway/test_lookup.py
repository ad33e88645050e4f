"""Finding orders in SQL and tail: never an older story than was told before."""

import asyncio
import threading

import msgspec
import pytest

from adapters.sql.database import Database, SqlAwayError
from adapters.sql.reading import Reader
from adapters.sql.store import Span, Store
from domain.ids import home_partition, order_id, order_text
from gateway import lookup as module
from gateway.lookup import Lookup
from gateway.problems import InvalidRequestError, ProblemError
from gateway.tail import Tail
from tests.adapters.journeys import journey

TOPIC = "order.events"
ANN = bytes(range(8))


def order(number: int) -> bytes:
    return order_id(b"key", "ann", f"k{number}", 0)


def events_of(number: int, path: str = "done", first: int = 1):
    """As told of a real order id of partition 0."""
    text = order_text(order(number))
    told = journey(number, path, first=first, customer=ANN.hex())
    return [msgspec.structs.replace(event, order=text) for event in told]


class Desk:
    """SQL and a tail, and one log for both."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.tail = Tail(1, {}, lambda *_: None)
        self.lookup = Lookup(Reader(self.database), self.tail)
        self.log = []
        self.copied = 0

    def append(self, events) -> None:
        """The tail sees them at once."""
        for event in events:
            self.tail.apply(0, len(self.log), event)
            self.log.append(event)

    def copy(self, end: int | None = None) -> None:
        """SQL has the log up to there; the tail is not told yet."""
        end = len(self.log) if end is None else end
        if end > self.copied:
            span = Span(TOPIC, 0, self.copied, end - 1)
            assert Store(self.database).apply(span, self.log[self.copied : end]).missing_from < 0
            self.copied = end

    async def pass_by(self) -> None:
        for partition, offset in enumerate(await self.lookup.passed(TOPIC, 1)):
            self.tail.pass_by(partition, offset)


@pytest.fixture
def desk(tmp_path):
    desk = Desk(f"sqlite:///{tmp_path / 'orders.db'}")
    yield desk
    desk.lookup.close()
    desk.database.close()


async def test_an_order_is_the_same_from_the_tail_from_sql_and_from_both(desk):
    events = events_of(1, "shipped")
    desk.append(events[:4])
    young = await desk.lookup.find(order(1))
    assert young.state == "PAYMENT_PENDING"
    desk.copy()
    await desk.pass_by()
    assert len(desk.tail) == 0
    old = await desk.lookup.find(order(1))
    assert (old.state, old.version, old.history, old.lines) == (
        young.state,
        young.version,
        young.history,
        young.lines,
    )
    desk.append(events[4:])
    assert len(desk.tail) == 1
    both = await desk.lookup.find(order(1))
    assert (both.state, [one.to for one in both.history][-3:]) == ("DELIVERED", ["CONFIRMED", "SHIPPED", "DELIVERED"])
    assert both.customer == ANN.hex()
    assert home_partition(order(1)) == 0


async def test_what_nobody_has_is_nothing(desk):
    assert await desk.lookup.find(order(1)) is None
    assert (await desk.lookup.list_of(ANN, "", 10)).orders == []


async def test_without_sql_young_orders_are_found_and_old_ones_are_said_to_be_unknown(desk, monkeypatch):
    desk.append(events_of(1))
    desk.copy()
    await desk.pass_by()
    desk.append(events_of(2, first=20))

    def away(*_):
        raise SqlAwayError("gone")

    monkeypatch.setattr(desk.database, "reading", away)
    assert (await desk.lookup.find(order(2))).state == "CONFIRMED"
    for work in (desk.lookup.find(order(1)), desk.lookup.list_of(ANN, "", 10)):
        with pytest.raises(ProblemError) as caught:
            await work
        assert caught.value.problem.label == "unavailable"


async def test_a_database_that_is_made_anew_does_not_tell_an_older_story(desk, tmp_path):
    events = events_of(1)
    desk.append(events)
    desk.copy()
    await desk.pass_by()
    shown = await desk.lookup.find(order(1))
    anew = Database(f"sqlite:///{tmp_path / 'anew.db'}")
    desk.lookup._reader, desk.database, desk.copied = Reader(anew), anew, 0
    for end in range(len(events)):
        desk.copy(end)
        with pytest.raises(ProblemError):
            await desk.lookup.find(order(1))
    desk.copy()
    assert (await desk.lookup.find(order(1))).version == shown.version
    anew.close()


async def test_a_tail_that_is_behind_sql_does_not_tell_an_older_story(desk):
    """Another reader of the log was faster; then the tail sees the first events, complete but old."""
    events = events_of(1)
    desk.log = events
    desk.copy()
    assert (await desk.lookup.find(order(1))).state == "CONFIRMED"
    for offset, event in enumerate(events):
        desk.tail.apply(0, offset, event)
        assert (await desk.lookup.find(order(1))).state == "CONFIRMED"


async def test_no_state_goes_back_whatever_sql_and_tail_do_meanwhile(desk):
    """Reads at every moment of a life that SQL copies late and the tail forgets in time."""
    events = events_of(1, "returned")
    places = []

    async def look() -> None:
        now = await desk.lookup.find(order(1))
        places.append((now.version, now.sequence))

    for end, event in enumerate(events, 1):
        desk.append([event])
        await look()
        if end % 2:
            desk.copy()
            await look()
        if end % 3 == 0:
            await desk.pass_by()
            await look()
    assert places == sorted(places)
    assert len(set(places)) == len(events)


async def test_a_customers_list_is_newest_first_and_each_order_once_wherever_it_stands(desk):
    for number in range(6):
        desk.append(events_of(number, first=1 + 10 * number))
    desk.copy(4 * len(events_of(0)))
    await desk.pass_by()
    desk.copy(5 * len(events_of(0)))  # the fifth stands in both
    expected = [order_text(order(number)) for number in reversed(range(6))]
    page = await desk.lookup.list_of(ANN, "", 100)
    assert [now.order for now in page.orders] == expected
    assert page.cursor == ""
    for limit in (1, 2, 3, 5, 6):
        found, cursor = [], ""
        while True:
            page = await desk.lookup.list_of(ANN, cursor, limit)
            assert len(page.orders) <= limit
            found += [now.order for now in page.orders]
            cursor = page.cursor
            if not cursor:
                break
        assert found == expected, limit
    assert (await desk.lookup.list_of(bytes(8), "", 10)).orders == []


async def test_a_list_shows_what_the_tail_knows_newer(desk):
    events = events_of(1)
    desk.append(events[:3])
    desk.copy()
    await desk.pass_by()
    desk.append(events[3:])
    (now,) = (await desk.lookup.list_of(ANN, "", 10)).orders
    assert now.state == "CONFIRMED"


@pytest.mark.parametrize("cursor", ["x", "eHg", "MTox", "ä"])
async def test_a_cursor_that_is_none_is_named(desk, cursor):
    with pytest.raises(InvalidRequestError) as caught:
        await desk.lookup.list_of(ANN, cursor, 10)
    assert caught.value.extra["errors"][0]["path"] == "cursor"


async def test_only_so_many_wait_for_sql(desk, monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX", 3)
    hold = threading.Event()
    waiting = [asyncio.create_task(desk.lookup.read(lambda: hold.wait(10))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ProblemError, match="too many"):
        await desk.lookup.find(order(1))
    hold.set()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await desk.lookup.find(order(1)) is None
