"""The tail: what SQL does not have yet, and nothing for longer than that."""

import asyncio

import pytest

from domain.ids import Receipt, order_id, order_text
from domain.orders import Cancel, Place
from domain.outcomes import REPEATED, Outcome
from gateway import tail as module
from gateway.tail import Tail
from streams.order_events import Decided, Line, OrderEvent
from streams.seats import Batch, Seat

ME = "gateway-1@life/order/gateway"
CUSTOMER = "0123456789abcdef"


def order(number: int, home: int = 0) -> bytes:
    return order_id(b"key", "ann", f"k{number}", home)


def event(number: int, version: int, state: str = "CREATED", *, offset: int, home: int = 0, index: int = 0, **fields):
    given = {"kind": "changed", "sequence": version, "to": state, "pay": "N", **fields}
    if version == 1:
        given = {"customer": CUSTOMER, "lines": [Line(1, "mug", home, 1, "a"), Line(2, "cup", home, 1, "a")]} | given
    text = order_text(order(number, home))
    return OrderEvent(
        order=text, partition=home, offset=offset, index=index, time_ms=offset, version=version, state=state, **given
    )


class Desk:
    """A tail, the batches that this process has on their way, and what was decided of them."""

    def __init__(self, partitions: int = 1) -> None:
        self.batches: dict[int, Batch] = {}
        self.decided: list[tuple] = []
        self.tail = Tail(
            partitions, {ME: lambda number: self.batches.pop(number, None)}, lambda *one: self.decided.append(one)
        )
        self.offset = -1

    def tell(self, *events, partition: int = 0) -> None:
        for one in events:
            self.offset += 1
            self.tail.apply(partition, self.offset, one)

    def state(self, number: int, home: int = 0):
        now = self.tail.find(home, order_text(order(number, home)))
        return None if now is None else now.state


@pytest.fixture
def desk():
    return Desk()


def test_an_order_is_followed_and_leaves_when_sql_has_its_last_event(desk):
    desk.tell(event(1, 1, offset=5), event(2, 1, offset=6), event(1, 2, "RESERVED", offset=7))
    assert (desk.state(1), desk.state(2), len(desk.tail)) == ("RESERVED", "CREATED", 2)
    desk.tail.pass_by(0, 1)
    assert (desk.state(1), desk.state(2)) == ("RESERVED", None)
    desk.tell(event(1, 3, "PAYMENT_PENDING", offset=8))
    desk.tail.pass_by(0, 2)
    assert desk.state(1) == "PAYMENT_PENDING"
    desk.tail.pass_by(0, 3)
    assert len(desk.tail) == 0
    assert desk.tail.of_customer(CUSTOMER) == []


def test_an_event_published_again_changes_nothing_and_does_not_keep_an_order_longer(desk):
    events = [event(1, 1, offset=5), event(1, 2, "RESERVED", offset=5, index=1), event(1, 3, "CANCELLED", offset=6)]
    desk.tell(*events, *events[:2])
    assert desk.state(1) == "CANCELLED"
    assert len(desk.tail.find(0, order_text(order(1))).history) == 3
    desk.tail.pass_by(0, 2)
    assert len(desk.tail) == 0


def test_requests_made_again_change_nothing(desk):
    desk.tell(event(1, 1, offset=5), event(1, 1, "SHIPPED", offset=6, kind="requested"))
    desk.tell(event(2, 0, "", offset=7, kind="requested"))
    assert (desk.state(1), desk.state(2)) == ("CREATED", None)


def test_partitions_do_not_touch_each_other():
    desk = Desk(partitions=2)
    desk.tell(event(1, 1, offset=5))
    desk.tell(event(2, 1, offset=3, home=1), partition=1)
    desk.tail.pass_by(0, 9)
    assert (desk.state(1), desk.state(2, 1)) == (None, "CREATED")


def test_when_there_are_too_many_the_oldest_leave_and_that_is_known(desk, monkeypatch):
    monkeypatch.setattr(module, "ORDERS_MAX", 2)
    desk.tell(event(1, 1, offset=1), event(2, 1, offset=2))
    assert not desk.tail.is_ahead(0)
    desk.tell(event(3, 1, offset=3))
    assert [desk.state(number) for number in (1, 2, 3)] == [None, "CREATED", "CREATED"]
    assert desk.tail.is_ahead(0)
    desk.tail.pass_by(0, 0)
    assert not desk.tail.is_ahead(0)


def test_sql_that_is_made_anew_is_noticed_until_it_is_where_it_was(desk):
    desk.tell(*(event(number, 1, offset=number) for number in range(4)))
    desk.tail.pass_by(0, 3)
    assert not desk.tail.is_ahead(0)
    desk.tail.pass_by(0, -1)
    assert desk.tail.is_ahead(0)
    desk.tail.pass_by(0, 2)
    assert desk.tail.is_ahead(0)
    desk.tail.pass_by(0, 3)
    assert not desk.tail.is_ahead(0)


def test_a_tail_that_begins_without_knowing_where_sql_is_says_so():
    tail = Desk().tail
    tail.begin_at(0, 0)
    assert not tail.is_ahead(0)  # there is nothing before the beginning
    tail.begin_at(0, 10)
    assert tail.is_ahead(0)
    tail.pass_by(0, 9)
    assert not tail.is_ahead(0)


def test_behind_an_event_that_could_not_be_read_an_order_is_known_in_part(desk):
    desk.tell(event(1, 1, offset=1), event(1, 2, "RESERVED", offset=2), event(1, 4, "PAID", offset=4))
    now = desk.tail.find(0, order_text(order(1)))
    assert (now.since, now.version, now.state, len(now.history)) == (4, 4, "PAID", 1)
    assert desk.tail.of_customer(CUSTOMER) == []


def test_a_customers_orders_are_those_whose_beginning_was_seen(desk):
    desk.tell(event(1, 1, offset=1), event(2, 2, "RESERVED", offset=2, customer=CUSTOMER), event(3, 1, offset=3))
    assert {now.order for now in desk.tail.of_customer(CUSTOMER)} == {order_text(order(1)), order_text(order(3))}
    assert desk.tail.of_customer("somebody else") == []


def test_the_same_key_in_another_partition_is_known_of_orders_of_several_lines(desk):
    desk.tell(event(1, 1, offset=1))
    desk.tell(event(2, 1, offset=2, lines=[Line(0, "mug", 0, 1, "h")]))
    assert desk.tail.other_home(order(1, 3))
    assert not desk.tail.other_home(order(1))
    assert not desk.tail.other_home(order(2, 3))  # of one line: stock's facts tell


def test_who_listens_hears_each_event_of_that_order_until_he_leaves(desk):
    heard = []
    with desk.tail.listening(order_text(order(1)), lambda now: heard.append(now.state)):
        desk.tell(event(1, 1, offset=1), event(2, 1, offset=2), event(1, 2, "RESERVED", offset=3))
        desk.tell(event(1, 2, "RESERVED", offset=4, kind="progressed"))
        desk.tell(event(1, 2, "RESERVED", offset=5, kind="requested"))
    desk.tell(event(1, 3, "PAYMENT_PENDING", offset=6))
    assert heard == ["CREATED", "RESERVED", "RESERVED"]
    assert desk.tail._listeners == {}


async def test_own_wishes_are_answered_by_index(desk):
    loop = asyncio.get_running_loop()
    commands = [Cancel(order(number), bytes(8), bytes(8)) for number in range(3)]
    seats = [Seat(command) for command in commands]
    batch = desk.batches[7] = Batch(7, 0, seats, b"", 0.0)
    for index, seat in enumerate(seats):
        seat.batch, seat.index, seat.decided, seat.acked = batch, index, loop.create_future(), loop.create_future()
    outcomes = [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED | REPEATED]
    desk.tell(Decided(ME, 7, 0, 12, 40, 1_000, outcomes))
    answers = [seat.decided.result() for seat in seats]
    assert [(one.outcome, one.repeated) for one in answers] == [
        (Outcome.ACCEPTED, False),
        (Outcome.REFUSED, False),
        (Outcome.ACCEPTED, True),
    ]
    assert answers[1].receipt == Receipt(0, 40, 1)
    assert all(seat.acked.result() for seat in seats)
    assert (batch.offset, desk.batches) == (40, {})
    assert desk.decided == list(zip(commands, [52, 53, 52], strict=True))


async def test_an_undecodable_batch_is_malformed_as_a_whole_and_others_answers_are_none_of_ours(desk):
    place = Place(order(1), bytes(8), bytes(8), partial=False, not_after_ms=1, lines=(), method="", shipping=b"")
    desk.batches[7] = Batch(7, 0, [Seat(place), Seat(place)], b"", 0.0)
    desk.tell(Decided("somebody", 7, 0, 12, 40, 1_000, [Outcome.PLACED]))
    assert desk.decided == []
    desk.tell(Decided(ME, 7, 0, 12, 41, 1_000, [Outcome.MALFORMED]))
    assert desk.decided == [(place, Outcome.MALFORMED)] * 2
