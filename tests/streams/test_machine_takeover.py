"""W9: a silent owner is taken over, once, by somebody who was awake and has looked."""

from random import Random
from unittest.mock import patch

import pytest

from streams.effects import AppendClaim, AppendCommand, Look, ReadLedger, Role
from streams.takeover import TakeoverClock
from streams.vigil import Vigil
from tests.streams.hand import START_MS, Hand, Logs


@pytest.fixture
def logs() -> Logs:
    logs = Logs()
    logs.open_sale()
    return logs


@pytest.fixture
def owner(logs) -> Hand:
    hand = Hand(logs, "a").warm().own()
    hand.run()
    hand.wait(1_000)
    hand.send_commands()
    hand.run()
    hand.forget()
    return hand


@pytest.fixture
def standby(logs, owner) -> Hand:
    """Warm, and nothing is left to do."""
    return Hand(logs, "b", seed=2).warm()


def test_nothing_to_do_is_no_reason_however_silent_the_owner(logs, standby):
    assert standby.wait_for(Look, 60_000) == 60_000


def test_a_waiting_command_and_silence_for_t_make_it_look_and_then_claim(logs, standby):
    logs.reserve(1)
    standby.hear()
    assert 500 <= standby.wait_for(Look, 5_000) <= 775
    assert not standby.pull(AppendClaim)
    standby.look()
    standby.claim()
    assert standby.machine.role is Role.OWNER


def test_without_it_a_dead_owners_requests_wait_for_ever(logs, standby):
    logs.reserve(1)
    standby.hear()
    with patch.object(TakeoverClock, "silent", lambda *_: False):
        assert standby.wait_for(Look, 60_000) == 60_000


def test_an_accepted_record_begins_the_wait_anew(logs, owner, standby):
    for number in range(5):
        logs.reserve(number)
        standby.hear()
        standby.wait(400)
        assert not standby.pull(Look)
        owner.run()
        standby.read()
    logs.reserve(9)
    standby.hear()
    assert standby.wait_for(Look, 5_000) >= 500


def test_facts_that_nobody_publishes_for_two_seconds_are_a_reason(logs, owner, standby):
    logs.reserve(1)
    owner.hear()
    for append in owner.decide():
        owner.land(append)
    standby.hear()
    standby.read()
    assert 2_000 <= standby.wait_for(Look, 10_000) <= 2_050


@pytest.mark.parametrize(("late_ms", "again"), [(50, False), (100, True), (3_000, True)])
def test_who_was_not_running_cannot_call_another_silent(logs, standby, late_ms, again):
    """Its own clock tick was late: it begins to wait anew."""
    logs.reserve(1)
    standby.hear()
    standby.wait(450)
    logs.ms += late_ms
    standby.clock()
    waited_ms = standby.wait_for(Look, 5_000)
    assert (waited_ms >= 475) == again


def test_a_look_answered_after_150_ms_is_not_fresh(logs, standby):
    logs.reserve(1)
    standby.hear()
    standby.wait_for(Look, 5_000)
    standby.wait(175)
    standby.look()
    assert not standby.pull(AppendClaim)
    assert standby.wait_for(Look, 5_000) >= 475


def test_a_look_that_shows_something_new_is_read_and_the_wait_begins_anew(logs, owner, standby):
    logs.reserve(1)
    standby.hear()
    standby.wait_for(Look, 5_000)
    owner.run()
    standby.look()
    assert not standby.pull(AppendClaim)
    (read,) = standby.pull(ReadLedger)
    assert tuple(read) == (standby.machine.ledger_next, len(logs.ledger))


def test_without_the_look_a_slow_reader_takes_a_partition_from_a_living_owner(logs, owner, standby):
    logs.reserve(1)
    standby.hear()
    owner.run()
    with patch.object(Vigil, "_ask_look", lambda vigil, reason: vigil._machine.claim(reason)):
        standby.wait(1_000)
    assert standby.pull(AppendClaim)


def test_a_look_that_is_never_answered_is_asked_for_again_after_five_seconds(logs, standby):
    logs.reserve(1)
    standby.hear()
    standby.wait_for(Look, 5_000)
    (lost,) = standby.pull(Look)
    assert 4_900 <= standby.wait_for(Look, 10_000) <= 5_100
    standby.machine.on_seen(standby.seen(lost))
    assert not standby.pull(AppendClaim)


def test_an_answer_to_what_was_asked_of_another_state_claims_nothing(logs, owner, standby):
    logs.reserve(1)
    standby.hear()
    standby.wait_for(Look, 5_000)
    owner.run()
    standby.read()
    standby.look()
    assert not standby.pull(AppendClaim)


def test_no_second_look_and_no_claim_while_one_is_under_way(logs, standby):
    logs.reserve(1)
    standby.hear()
    standby.wait(2_000)
    assert len(standby.pull(Look)) == 1
    standby.machine.claim("by hand")
    standby.wait(5_000)
    assert not standby.pull(Look)


# --- the plan -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [True, False])
def test_a_partition_that_nobody_ever_owned_is_claimed_at_once_by_the_planned_worker(logs, waiting):
    fresh = Logs()
    if waiting:
        fresh.open_sale()
    hand = Hand(fresh).warm()
    hand.hear()
    hand.wait(50)
    assert not hand.pull(Look)
    hand.machine.on_plan(assigned=True, members=None)
    assert hand.wait_for(Look, 1_000) <= 25
    hand.look()
    hand.claim()
    assert hand.machine.role is Role.OWNER


@pytest.mark.parametrize(
    ("assigned", "members", "claims"),
    [
        (True, {"b@1"}, True),
        (True, {"a@2", "b@1"}, True),
        (True, {"a@1", "b@1"}, False),
        (True, None, False),
        (False, {"b@1"}, False),
    ],
    ids=["owner gone", "owner started again", "owner lives", "members unknown", "not planned"],
)
def test_the_planned_worker_claims_from_an_owner_that_left_the_group_and_is_silent(
    logs, standby, assigned, members, claims
):
    standby.machine.on_plan(assigned=assigned, members=None if members is None else frozenset(members))
    waited_ms = standby.wait_for(Look, 5_000)
    assert (waited_ms < 800) == claims
    assert waited_ms >= 475


def test_rules_that_this_code_does_not_know_keep_it_from_claiming(logs, standby):
    logs.reserve(1)
    standby.hear()
    with patch.object(type(standby.machine.fold), "rules_version", lambda *_: 99):
        assert standby.wait_for(Look, 10_000) == 10_000
    assert not standby.pull(AppendCommand)


# --- the clock ------------------------------------------------------------------------------------------------------


class Middle(Random):
    """No jitter: the factor is 1."""

    def random(self) -> float:
        return 0.0


def disturbed(times: int) -> TakeoverClock:
    clock = TakeoverClock(500, Middle())
    for at in range(times):
        clock.claimed(0, START_MS + at, disturbing=True)
    return clock


@pytest.mark.parametrize(("claims", "wait_ms"), [(0, 500), (1, 500), (2, 1000), (3, 2000), (4, 2000), (9, 2000)])
def test_each_disturbing_claim_of_the_last_thirty_seconds_doubles_the_wait_up_to_four_times(claims, wait_ms):
    assert disturbed(claims).wait_ms(START_MS + 1_000) == wait_ms


def test_claims_are_forgotten_after_thirty_seconds_and_when_the_ledger_is_folded_anew():
    clock = disturbed(4)
    assert clock.wait_ms(START_MS + 30_000) == 2000
    assert clock.wait_ms(START_MS + 30_004) == 500
    clock = disturbed(4)
    clock.forget_claims()
    assert clock.wait_ms(START_MS) == 500


def test_claims_after_a_yield_or_of_an_empty_partition_disturb_nobody():
    clock = TakeoverClock(500, Middle())
    for _ in range(5):
        clock.claimed(0, START_MS, disturbing=False)
    assert clock.wait_ms(START_MS) == 500


def test_each_lost_claim_doubles_the_wait_up_to_thirty_two_times_until_somebody_decides():
    clock = TakeoverClock(500, Middle())
    waits = []
    for _ in range(7):
        clock.lost(0)
        waits.append(clock.wait_ms(START_MS))
    assert waits == [1000, 2000, 4000, 8000, 16000, 16000, 16000]
    clock.decided(0)
    assert clock.wait_ms(START_MS) == 500


def test_the_jitter_is_up_to_a_half_and_drawn_anew_after_every_claim():
    clock = TakeoverClock(500, Random(1))
    waits = set()
    for _ in range(200):
        clock.claimed(0, START_MS, disturbing=False)
        waits.add(clock.wait_ms(START_MS))
    assert 500 <= min(waits) < 510
    assert 740 < max(waits) <= 750


def test_with_backing_off_two_standbys_do_not_fence_each_other_for_ever(logs, owner):
    """Two workers that take the whole of T to decide anything: claims get rarer; without the rule they do not."""

    def claims_in_a_minute() -> int:
        hands = [Hand(logs, name, seed=number).warm() for number, name in enumerate("bc")]
        before = len(logs.ledger)
        logs.reserve(before)
        for _ in range(600):
            logs.ms += 100
            for hand in hands:
                for tick_ms in (75, 50, 25, 0):
                    hand.machine.on_clock(logs.ms - tick_ms, START_MS + logs.ms - tick_ms)
                hand.hear()
                hand.read()
                hand.look()
                if hand.machine.claiming:
                    hand.claim()
        return len(logs.ledger) - before

    calm = claims_in_a_minute()
    with patch.object(TakeoverClock, "wait_ms", lambda *_: 0), patch.object(TakeoverClock, "parked", lambda *_: False):
        storm = claims_in_a_minute()
    assert calm <= 5
    assert storm > 100
