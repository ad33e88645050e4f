"""The view: a fold of facts. First occurrences count, own batches are answered, ended orders leave."""

import asyncio
import gc

import pytest

from domain.ids import Receipt, hold_id
from domain.outcomes import REPEATED, Outcome
from domain.reservation import RowState
from domain.stock import (
    Closed,
    Commit,
    Expired,
    Extended,
    Granted,
    Opened,
    PolicySet,
    Refused,
    Released,
    Repeat,
    Reserve,
    Returned,
    Sold,
    Totals,
)
from gateway import view as module
from gateway.view import Answer, Grant, Order, Pending, Rejected, View, key_of
from streams.records import DECIDED, Decided, UndecodableError, encode_body, encode_fact
from streams.seats import Batch, Seat
from streams.stock_records import PoolHint, encode_details

ME = "gateway-1@life/gateway"
CUSTOMER = b"customer"
PRINT = b"fingerpr"


def order(number: int, home: int = 0) -> bytes:
    return home.to_bytes(2, "big") + number.to_bytes(14, "big")


def fact(offset, changes=(), *, outcomes=b"\x10", totals=(), repeats=(), clk=1_000, src=0, sender="other", number=1):
    details = encode_details(list(repeats), list(changes), list(totals))
    body = Decided(src or offset, bytes(16), clk, sender, number, bytes(outcomes), None, None, details)
    return encode_fact(DECIDED, offset, encode_body(body))


def granted(number: int, index: int = 0, deadline_ms: int = 61_000) -> Granted:
    return Granted(index, hold_id(order(number)), "poster", CUSTOMER, 2, 2500, "EUR", deadline_ms, PRINT, b"")


def reserve(number: int) -> Reserve:
    return Reserve(hold_id(order(number)), "poster", CUSTOMER, 2, 31_000, PRINT)


class Desk:
    """A view and the batches that this process has on their way."""

    def __init__(self, partitions: int = 1) -> None:
        self.batches: dict[int, Batch] = {}
        self.view = View(partitions, {ME: lambda number: self.batches.pop(number, None)})

    def send(self, number: int, *commands) -> list[Seat]:
        """A batch that was handed to the producer, each of its seats with somebody who waits."""
        seats = [Seat(command) for command in commands]
        self.batches[number] = Batch(number, 0, seats, b"", 0.0)
        loop = asyncio.get_running_loop()
        for index, seat in enumerate(seats):
            seat.batch, seat.index, seat.decided = self.batches[number], index, loop.create_future()
        return seats


@pytest.fixture
def desk():
    return Desk()


def state(view: View, number: int):
    found = view.find(order(number))
    return RowState(found.state).name if isinstance(found, Order) else None


def test_a_grant_of_any_gateway_is_seen_and_followed_to_its_end(desk):
    view, hold = desk.view, hold_id(order(1))
    view.apply(0, fact(5, [granted(1, 3)], src=40))
    found = view.find(order(1))
    assert (found.customer, found.receipt, found.grant) == (
        CUSTOMER,
        Receipt(0, 40, 3),
        Grant("poster", 2, 2500, "EUR", 61_000),
    )
    assert state(view, 1) == "HELD"
    view.apply(0, fact(6, [Extended(0, hold, 90_000)]))
    assert (found.deadline_ms, found.grant.deadline_ms) == (90_000, 61_000)
    view.apply(0, fact(7, [Sold(0, hold)]))
    assert state(view, 1) == "SOLD"
    view.apply(0, fact(8, [Returned(0, hold, 1, 1, True)]))
    assert state(view, 1) == "SOLD"
    view.apply(0, fact(9, [Returned(0, hold, 2, 1, True)]))
    assert state(view, 1) == "RETURNED"


@pytest.mark.parametrize(
    ("end", "name"),
    [(Expired(hold_id(order(1))), "EXPIRED"), (Released(0, hold_id(order(1)), CUSTOMER), "RELEASED")],
)
def test_an_ended_order_stays_fifteen_minutes_of_log_time(desk, end, name):
    view = desk.view
    view.apply(0, fact(1, [granted(1)], clk=1_000))
    view.apply(0, fact(2, [end], clk=2_000))
    view.apply(0, fact(3, [granted(2)], clk=2_000 + module.ENDED_KEEP_MS))
    assert state(view, 1) == name
    view.apply(0, fact(4, [granted(3)], clk=2_001 + module.ENDED_KEEP_MS))
    assert view.find(order(1)) is None
    assert state(view, 2) == "HELD"  # a hold stays, however old


def test_an_order_that_moved_on_stays_from_then_on(desk):
    """EXPIRED, then sold after all: its fifteen minutes begin with the sale."""
    view = desk.view
    view.apply(0, fact(1, [granted(1)], clk=1_000))
    view.apply(0, fact(2, [Expired(hold_id(order(1)))], clk=2_000))
    view.apply(0, fact(3, [Sold(0, hold_id(order(1)))], clk=500_000))
    view.apply(0, fact(4, [granted(2)], clk=100_000 + module.ENDED_KEEP_MS))
    assert state(view, 1) == "SOLD"
    view.apply(0, fact(5, [granted(3)], clk=500_001 + module.ENDED_KEEP_MS))
    assert view.find(order(1)) is None


def test_too_many_orders_cost_the_ended_ones_first(desk, monkeypatch):
    monkeypatch.setattr(module, "ORDERS_MAX", 3)
    view = desk.view
    view.apply(0, fact(1, [granted(number) for number in range(3)]))
    view.apply(0, fact(2, [Sold(0, hold_id(order(1)))]))
    view.apply(0, fact(3, [granted(4), granted(5)]))
    assert [state(view, number) for number in (0, 1, 2, 4, 5)] == ["HELD", None, "HELD", "HELD", "HELD"]


def test_a_fact_published_again_changes_nothing(desk):
    view = desk.view
    facts = [fact(1, [granted(1)]), fact(2, [Expired(hold_id(order(1)))]), fact(3, [granted(2)])]
    for value in (*facts, *facts[:2], facts[0]):
        view.apply(0, value)
    assert state(view, 1) == "EXPIRED"
    assert view.highest(0) == 3


def test_partitions_have_cursors_of_their_own():
    view = Desk(partitions=2).view
    view.apply(0, fact(7, [granted(1)]))
    view.apply(1, fact(3, [Granted(0, hold_id(order(9, 1)), "mug", CUSTOMER, 1, 1, "EUR", 1, PRINT, b"")]))
    assert (view.highest(0), view.highest(1)) == (7, 3)
    assert view.find(order(9, 1)).receipt == Receipt(1, 3, 0)


def test_what_lies_before_the_window_only_moves_the_cursor(desk):
    view = desk.view
    view.skip(0, fact(4, [granted(1)]))
    view.skip(0, fact(2, [granted(2)]))
    view.apply(0, fact(3, [granted(3)]))
    view.apply(0, fact(5, [granted(5)]))
    assert [state(view, number) for number in (1, 2, 3, 5)] == [None, None, None, "HELD"]


def test_what_is_no_fact_stops_the_reader(desk):
    with pytest.raises(UndecodableError):
        desk.view.apply(0, b"nonsense")


async def test_own_commands_are_answered_by_index(desk):
    first, second, third = desk.send(7, reserve(1), reserve(2), Commit(hold_id(order(3))))
    outcomes = [Outcome.GRANTED, Outcome.SOLD_OUT, Outcome.COMMITTED]
    desk.view.apply(0, fact(5, [granted(1)], outcomes=outcomes, src=40, sender=ME, number=7))
    assert first.decided.result() == Answer(
        Outcome.GRANTED, False, Receipt(0, 40, 0), Grant("poster", 2, 2500, "EUR", 61_000)
    )
    assert second.decided.result() == Answer(Outcome.SOLD_OUT, False, Receipt(0, 40, 1), None)
    assert third.decided.result() == Answer(Outcome.COMMITTED, False, Receipt(0, 40, 2), None)
    assert first.batch.offset == 40
    assert desk.batches == {}


async def test_a_repeat_is_answered_as_the_first_time(desk):
    first, second = desk.send(7, reserve(1), reserve(2))
    repeats = [
        Repeat(0, hold_id(order(1)), 12, 3, "poster", CUSTOMER, 2, 2500, "EUR", 61_000),
        Repeat(1, hold_id(order(2)), 12, 4),
    ]
    outcomes = [Outcome.GRANTED | REPEATED, Outcome.ALL_HELD | REPEATED]
    desk.view.apply(0, fact(5, outcomes=outcomes, repeats=repeats, src=40, sender=ME, number=7))
    grant = Grant("poster", 2, 2500, "EUR", 61_000)
    assert first.decided.result() == Answer(Outcome.GRANTED, True, Receipt(0, 12, 3), grant)
    assert second.decided.result() == Answer(Outcome.ALL_HELD, True, Receipt(0, 12, 4), None)


async def test_a_decision_tells_those_too_who_wait_for_the_ack(desk):
    (seat,) = desk.send(7, reserve(1))
    seat.acked = asyncio.get_running_loop().create_future()
    desk.view.apply(0, fact(5, outcomes=[Outcome.SOLD_OUT], sender=ME, number=7))
    assert seat.acked.result() is True


async def test_who_has_given_up_is_not_told(desk):
    (seat,) = desk.send(7, reserve(1))
    seat.decided.set_result(None)
    desk.view.apply(0, fact(5, outcomes=[Outcome.SOLD_OUT], sender=ME, number=7))
    assert seat.decided.result() is None


async def test_an_undecodable_batch_is_malformed_as_a_whole(desk):
    seats = desk.send(7, reserve(1), reserve(2))
    desk.view.apply(0, fact(5, outcomes=[Outcome.MALFORMED], sender=ME, number=7))
    assert [seat.decided.result().outcome for seat in seats] == [Outcome.MALFORMED] * 2


async def test_own_orders_are_pending_then_rejected(desk):
    view = desk.view
    desk.send(7, reserve(1))
    view.ask(order(1), CUSTOMER)
    assert view.find(order(1)) == Pending(order(1), CUSTOMER)
    view.apply(0, fact(5, [Refused(0, hold_id(order(1)), 13, PRINT)], outcomes=[13], clk=9_000, sender=ME, number=7))
    assert view.find(order(1)) == Rejected(order(1), CUSTOMER, 0, 5, 0, Outcome.SOLD_OUT, 9_000)


@pytest.mark.parametrize("outcome", sorted(module.NOT_REMEMBERED))
async def test_what_is_not_remembered_leaves_what_is_known(desk, outcome):
    view = desk.view
    view.apply(0, fact(1, [granted(1)]))
    desk.send(7, reserve(1), reserve(2))
    view.ask(order(2), CUSTOMER)
    view.apply(0, fact(5, outcomes=[outcome, outcome], sender=ME, number=7))
    assert state(view, 1) == "HELD"
    assert view.find(order(2)) is None


def test_the_same_key_for_another_home_is_known(desk):
    view = desk.view
    view.apply(0, fact(1, [granted(1)]))
    view.ask(order(2), CUSTOMER)
    assert key_of(order(1)) == key_of(order(1, 3))
    assert view.other_home(order(1, 3), 0)
    assert view.other_home(order(2, 3), 0)
    assert not view.other_home(order(1), 0)
    assert not view.other_home(order(5, 3), 0)
    assert view.find(order(1, 3)) is None
    view.apply(0, fact(2, [Sold(0, hold_id(order(1, 3)))]))
    assert state(view, 1) == "HELD"  # that was another order


async def test_after_a_refusal_is_forgotten_its_key_is_free_again(desk):
    desk.send(7, reserve(1))
    desk.view.apply(0, fact(5, outcomes=[Outcome.SOLD_OUT], clk=9_000, sender=ME, number=7))
    assert desk.view.other_home(order(1, 3), 9_000 + module.REFUSAL_MS - 1)
    assert not desk.view.other_home(order(1, 3), 9_000 + module.REFUSAL_MS)


def test_refusals_are_not_even_decoded(desk, monkeypatch):
    kinds = []
    decode = module.decode_details
    monkeypatch.setattr(module, "decode_details", lambda raw, only: kinds.append(only) or decode(raw, only))
    refusals = [Refused(index, hold_id(order(index)), 13, PRINT) for index in range(9)]
    desk.view.apply(0, fact(1, refusals, outcomes=[13] * 9))
    assert kinds == [module._SHOWN]
    assert 2 not in module._SHOWN  # the wire kind of Refused
    assert desk.view.find(order(1)) is None


def hint(offset: int, available: int, phase: int = 1) -> PoolHint:
    return PoolHint(
        "poster", offset, 900, 2, phase, 2500, "EUR", 3, 60_000, "key", 10, available, 10 - available, 0, 0, 9
    )


def test_pools_come_from_hints_and_from_facts_whichever_is_newer(desk):
    pools = desk.view.pools
    pools.hint(hint(20, 7))
    pools.hint(hint(15, 9))
    assert pools.get("poster").available == 7
    desk.view.apply(0, fact(18, totals=[Totals("poster", 10, 8, 2, 0, 0, 8)], clk=800))
    assert (pools.get("poster").available, pools.get("poster").as_of_ms) == (7, 900)
    totals = [Totals("poster", 10, 6, 4, 0, 0, 10)]
    desk.view.apply(0, fact(21, [Closed(0, "poster", 3)], totals=totals, clk=1_200))
    pool = pools.get("poster")
    assert (pool.available, pool.as_of_ms, pool.version, pool.phase) == (6, 1_200, 3, 2)
    pools.hint(hint(19, 9))
    assert pools.get("poster").phase == 2


def test_a_pool_is_shown_once_its_policy_is_known(desk):
    view = desk.view
    view.apply(0, fact(1, totals=[Totals("poster", 10, 10, 0, 0, 0, 5)]))
    assert view.pools.get("poster") is None
    policy = PolicySet(0, "mug", 1, 900, "EUR", 2, 60_000, "key")
    view.apply(0, fact(2, [policy], totals=[Totals("mug", 0, 0, 0, 0, 0, 1)]))
    view.apply(0, fact(3, [Opened(0, "mug", 2)], totals=[Totals("mug", 0, 0, 0, 0, 0, 2)]))
    pool = view.pools.get("mug")
    assert (pool.version, pool.phase, pool.price, pool.limit, pool.hold_ms) == (2, 1, 900, 2, 60_000)


@pytest.mark.parametrize(
    ("available", "held", "bucket"),
    [(11, 0, "many"), (10, 5, "few"), (1, 0, "few"), (0, 1, "all-held"), (0, 0, "sold-out")],
)
def test_a_customer_sees_a_bucket(desk, available, held, bucket):
    desk.view.pools.hint(hint(1, 0)._replace(available=available, held=held))
    assert desk.view.pools.get("poster").availability == bucket


def test_the_garbage_collector_does_not_look_at_what_the_view_keeps(desk):
    """A million orders in tracked objects are pauses of hundreds of ms."""
    view = desk.view
    view.apply(0, fact(1, [granted(number) for number in range(100)]))
    view.apply(0, fact(2, [Sold(0, hold_id(order(1)))]))
    view.ask(order(1_000), CUSTOMER)
    view._rejected.put(b"key", Rejected(order(1), CUSTOMER, 0, 5, 0, 13, 1))
    gc.collect()
    orders = [view.find(order(number)) for number in range(100)]
    assert not any(map(gc.is_tracked, [*orders, view.find(order(1_000)), view._rejected.get(b"key")]))
    assert not any(gc.is_tracked(found.grant) for found in orders)
