"""Deadlines: what is over takes no room, also where nobody asks for the earliest, and the collector sees none of it."""

import gc
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.expiry import STALE_MAX, Deadlines, Times
from domain.ids import HOLD_ID_BYTES
from domain.pool import Policy, Pool

MANY = 5_000


def pool() -> Pool:
    return Pool(0, "sku", Policy(100, "EUR", 1, 60_000, "key"), 1)


def hold(number: int) -> bytes:
    return number.to_bytes(HOLD_ID_BYTES, "big")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=200))
def test_the_earliest_is_that_of_what_lives(steps):
    times, model = Times(), Counter()
    for enters, time_ms in steps:
        if enters:
            assert times.enter(time_ms, 2) == (not model[time_ms])
            model[time_ms] += 2
        elif model[time_ms]:
            model[time_ms] -= 1
            assert times.leave(time_ms) == (not model[time_ms])
        assert times.live == +model
    assert times.next_ms() == min(+model, default=None)


def test_a_fold_that_only_follows_keeps_no_times_that_are_over():
    """It never asks what is due: an owner's heap was emptied by that, a standby's grew with every record."""
    deadlines, one = Deadlines(), pool()
    for number in range(MANY):
        deadlines.add(one, 1_000 + number, (hold(number),))
        if number >= 100:
            deadlines.drop(one, 900 + number)
        for times in (deadlines, one.deadlines):
            assert len(times.times) <= 2 * len(times.live) + STALE_MAX
    assert deadlines.next_ms() == one.deadlines.next_ms() == 900 + MANY
    for number in range(MANY - 100, MANY):
        deadlines.drop(one, 1_000 + number)
    assert max(len(deadlines.times), len(one.deadlines.times)) <= STALE_MAX
    assert not [*one.deadlines.entries()]


def test_live_holds_are_nothing_to_the_collector():
    deadlines, one = Deadlines(), pool()
    deadlines.add(one, 1_000, (hold(0),))
    gc.collect()
    before = len(gc.get_objects())
    for number in range(1, MANY):
        deadlines.add(one, 1_000 + number, (hold(number),))
    gc.collect()
    assert len(gc.get_objects()) - before < MANY / 100
