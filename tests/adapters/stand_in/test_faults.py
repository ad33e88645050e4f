"""Each fault by itself: what the caller sees, and what has really happened."""

import json
import statistics

import pytest
from msgspec.structs import replace

from adapters.stand_in.behaviour import Behaviour, behaviour_of
from adapters.stand_in.book import Fate, Request
from tests.adapters.stand_in.caller import QUIET, Caller


def with_fault(**rates):
    return Caller(replace(QUIET, **rates))


def test_an_answer_that_is_lost_leaves_what_was_done():
    caller = with_fault(answer_lost=1.0)
    told = caller.create("k")
    assert (told.fate, told.status) == (Fate.LOST, 0)
    assert [charge.authorised for charge in caller.book.charges()] == [1_000]
    caller.book.behave(QUIET)
    assert caller.create("k").replayed


def test_a_request_that_is_lost_does_nothing():
    caller = with_fault(request_lost=1.0)
    assert caller.create("k").fate is Fate.LOST
    assert caller.book.charges() == []
    caller.book.behave(QUIET)
    assert (caller.create("k").status, caller.create("k").replayed) == (200, True)


def test_a_slow_call_is_done_at_once_and_answered_late():
    caller = with_fault(slow=1.0, slow_ms=2_000)
    delays = [caller.create().delay_ms for _ in range(200)]
    assert 1_700 < statistics.median(delays) < 2_300
    assert min(delays) < 1_500
    assert max(delays) > 2_500
    assert len(caller.book.charges()) == 200


def test_a_call_that_hangs_is_done_when_everybody_has_given_up():
    caller = with_fault(hang=1.0, hang_ms=30_000)
    told = caller.create("k")
    assert (told.fate, told.delay_ms) == (Fate.HANG, 30_000)
    caller.book.behave(QUIET)
    assert caller.book.charges() == []
    caller.later(29_999)
    assert caller.create("k").error["code"] == "idempotency_key_in_use"
    assert caller.get("payment_intents").body["data"] == []
    caller.later(1)
    late = caller.create("k")
    assert (late.status, late.replayed) == (200, True)
    assert late.body["created"] == caller.now_ms // 1000
    assert len(caller.book.charges()) == 1


def test_a_cancel_can_overtake_a_capture_that_hangs():
    caller = Caller()
    intent = caller.create().id
    caller.book.behave(replace(QUIET, hang=1.0))
    assert caller.post(f"payment_intents/{intent}/capture", "c").fate is Fate.HANG
    caller.book.behave(QUIET)
    assert caller.post(f"payment_intents/{intent}/cancel").status == 200
    caller.later(60_000)
    late = caller.post(f"payment_intents/{intent}/capture", "c")
    assert (late.status, late.replayed) == (400, True)
    assert caller.book.charges()[0].voided == 1_000


def test_a_500_comes_after_the_deed():
    caller = with_fault(error_after=1.0)
    assert (caller.create().status, len(caller.book.charges())) == (500, 1)
    assert caller.create(amount="x").status == 400


def test_a_503_comes_before_the_deed():
    caller = with_fault(unavailable=1.0)
    assert (caller.create().status, caller.book.charges()) == (503, [])


@pytest.mark.parametrize("fault", ["slow", "hang", "answer_lost", "error_after", "unavailable", "request_lost"])
def test_a_read_meets_faults_too_and_changes_nothing(fault):
    caller = Caller()
    intent = caller.create().id
    before = caller.book.shelf.intents[intent]
    caller.book.behave(replace(QUIET, **{fault: 1.0}))
    told = caller.get(f"payment_intents/{intent}")
    assert told.status in {0, 200, 500, 503}
    caller.later(60_000)
    caller.book.advance(caller.now_ms)
    assert caller.book.shelf.intents == {intent: before}


def test_the_same_seed_brings_the_same_faults():
    def fates(seed):
        caller = with_fault(seed=seed, slow=0.2, hang=0.1, answer_lost=0.2, request_lost=0.2, error_after=0.1)
        return [(told.fate, told.status, told.delay_ms) for told in (caller.create() for _ in range(100))]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    assert {fate for fate, *_ in fates(1)} == set(Fate)


def test_faults_come_as_often_as_they_are_asked_for():
    caller = with_fault(answer_lost=0.05, request_lost=0.05)
    told = [caller.create() for _ in range(4_000)]
    lost = sum(one.fate is Fate.LOST for one in told)
    assert 340 < lost < 460
    done = len(caller.book.charges()) - sum(one.status == 200 for one in told)
    assert 150 < done < 250


def test_in_a_brownout_no_call_is_answered_as_usual():
    caller = Caller()
    caller.book.brown_out(caller.now_ms, caller.now_ms + 5_000)
    told = [caller.create() for _ in range(200)]
    assert all(one.fate is not Fate.ANSWER or one.delay_ms or one.status >= 500 for one in told)
    assert {one.fate for one in told} == set(Fate)
    assert {one.status for one in told} == {0, 200, 500, 503}
    caller.later(5_000)
    after = caller.create()
    assert (after.status, after.delay_ms) == (200, 0)


def test_latency_has_the_median_that_was_asked_for():
    caller = with_fault(latency_ms=120)
    delays = [caller.get("payment_intents").delay_ms for _ in range(500)]
    assert 110 < statistics.median(delays) < 130
    assert max(delays) > 180


def test_reads_and_writes_have_limits_of_their_own():
    caller = Caller(Behaviour(reads_per_s=10, writes_per_s=5))
    assert [caller.create().status for _ in range(6)] == [200] * 5 + [429]
    assert [caller.get("payment_intents").status for _ in range(11)] == [200] * 10 + [429]
    caller.later(200)
    limited = [caller.create().status for _ in range(2)]
    assert limited == [200, 429]
    assert caller.create().error["code"] == "rate_limit"
    caller.later(60_000)
    assert [caller.create().status for _ in range(6)] == [200] * 5 + [429]


def test_the_default_limits_are_those_of_live_mode():
    caller = Caller(Behaviour())
    assert [caller.create().status for _ in range(101)].count(200) == 100


@pytest.mark.parametrize("key", ["", "pk_test_1", "sk_live" + "_1", "Basic x"])
def test_only_a_secret_test_key_is_let_in(key):
    outcome = Caller().book.receive(Request("GET", "/v1/payment_intents", api_key=key), 1)
    assert outcome.answer.status == 401
    assert "sk_test_" in json.loads(outcome.answer.body)["error"]["message"]


def test_time_does_not_go_back_in_the_book():
    caller = Caller()
    first = caller.create()
    caller.now_ms -= 60_000
    second = caller.create()
    assert second.body["created"] == first.body["created"]
    assert [one["id"] for one in caller.get("payment_intents").body["data"]] == [second.id, first.id]


def test_a_behaviour_is_read_from_an_address():
    found = behaviour_of("stand-in://?declines=0.03&latency_ms=120&writes_per_s=0&seed=7")
    assert found == Behaviour(declines=0.03, latency_ms=120, writes_per_s=0, seed=7)
    assert behaviour_of("stand-in://") == Behaviour()


@pytest.mark.parametrize("query", ["declines=2", "declines=x", "decline=0.1", "slow=0.6&hang=0.6", "latency_ms=-1"])
def test_a_behaviour_that_is_none_is_refused(query):
    with pytest.raises(ValueError, match="stand-in"):
        behaviour_of(f"stand-in://?{query}")
