"""What is known of an order does not depend on how much of it SQL has and where the tail begins."""

import msgspec
import pytest

from adapters.sql.database import Database
from adapters.sql.reading import Reader
from adapters.sql.store import Span, Store
from gateway.lookup import stored
from gateway.order_body import body_of
from gateway.order_now import begin, follow, joined
from streams.order_events import Line, OrderEvent
from tests.adapters.journeys import PATHS, journey, order_of


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'orders.db'}")
    yield database
    database.close()


def fold(events):
    now = None
    for event in events:
        if now is None:
            now = begin(event)
        else:
            follow(now, event)
    return now


def in_sql(database, events):
    """What SQL has after these events."""
    if events:
        Store(database).apply(Span("order.events", 0, 0, len(events) - 1), events)
    row = Reader(database).find(order_of(1))
    return None if row is None else stored(row, Reader(database).history(order_of(1)))


@pytest.mark.parametrize("path", PATHS)
def test_sql_and_tail_together_tell_the_whole_story_wherever_they_meet(path, tmp_path):
    events = list(journey(1, path))
    whole = body_of(fold(events))
    assert whole["status"] == events[-1].state
    for cut in range(len(events) + 1):
        database = Database(f"sqlite:///{tmp_path / f'{cut}.db'}")
        base = in_sql(database, events[:cut])
        database.close()
        for start in range(cut + 1):
            assert body_of(joined(base, fold(events[start:]))) == whole, (cut, start)


def test_the_higher_version_wins(database):
    events = list(journey(1))
    base = in_sql(database, events)
    assert joined(base, fold(events[:4])) is base
    assert joined(base, fold(events[2:4])) is base
    assert joined(None, fold(events[:4])).version == 2
    assert joined(base, None) is base


def test_a_hole_between_sql_and_tail_is_not_glossed_over(database):
    events = list(journey(1))
    base = in_sql(database, events[:3])
    assert joined(base, fold(events[4:])) is None
    assert joined(None, fold(events[1:])) is None
    assert joined(base, fold(events[3:])).version == events[-1].version


def test_what_a_later_event_does_not_tell_stays():
    events = list(journey(1, "shipped"))
    now = fold(events)
    assert (now.currency, now.receipt, now.customer) == ("EUR", events[0].receipt, events[0].customer)
    line = now.lines[0]
    assert (line.sku, line.quantity, line.unit_price, line.state) == ("sku", 2, 1_250, "s")


def test_states_that_are_passed_at_once_do_not_hide_where_the_money_is():
    """Of the three events of a birth only the last one says so."""
    created, reserved, pending = list(journey(1))[:3]
    now = fold([created, reserved])
    assert (now.state, now.pay, now.amount) == ("RESERVED", "", 0)
    follow(now, pending)
    assert (now.state, now.pay, now.amount, now.attempt) == ("PAYMENT_PENDING", "A", 2_500, 1)
    assert [one.to for one in now.history] == ["CREATED", "RESERVED", "PAYMENT_PENDING"]


def event(version, **fields) -> OrderEvent:
    given = {"kind": "progressed", "state": "PAYMENT_PENDING", "pay": "A", "attempt": 1, **fields}
    return OrderEvent(
        order=order_of(1), partition=0, offset=version, index=0, time_ms=version, version=version, **given
    )


def test_an_action_is_over_with_its_attempt_and_shown_only_while_it_is_asked():
    now = fold([event(1), event(2, action="https://example.org/3ds"), event(3)])
    assert body_of(now)["payment"]["action"] == "https://example.org/3ds"
    follow(now, event(4, pay="H"))
    assert "action" not in body_of(now)["payment"]
    follow(now, event(5, attempt=2))
    assert "action" not in body_of(now)["payment"]


def test_operators_see_where_to_look_at_the_provider():
    now = fold(list(journey(1)))
    assert body_of(now, ops=True)["payment"]["intent"] == "pi_1"
    assert "intent" not in body_of(now)["payment"]
    assert "intent" not in body_of(fold([*journey(1), event(9, attempt=2)]), ops=True)["payment"]


def test_equal_tags_mean_equal_content():
    events = list(journey(1, "returned"))
    seen = {}
    now = begin(events[0])
    for one in [None, *events[1:]]:
        if one is not None:
            follow(now, one)
        assert seen.setdefault(now.tag, msgspec.json.encode(body_of(now))) == msgspec.json.encode(body_of(now))
    assert len(seen) == len(events)


def test_words_stand_in_place_of_letters():
    now = fold([event(1, pay="C", lines=[Line(1, "mug", 0, 1, "c", 900, "EUR"), Line(2, "cup", 1, 3, "w")])])
    body = body_of(now)
    assert [(line["line"], line["state"]) for line in body["lines"]] == [(1, "committing"), (2, "waiting")]
    assert body["payment"]["state"] == "capturing"
    assert "unit_price" not in body["lines"][1]
