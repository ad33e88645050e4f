"""Idempotency as the provider has it, rule by rule."""

import pytest
from msgspec.structs import replace

from adapters.stand_in.behaviour import DAY_MS
from adapters.stand_in.book import Fate
from tests.adapters.stand_in.caller import QUIET, Caller

DECLINED = "pm_card_visa_chargeDeclined"


def test_the_same_key_gets_the_same_answer_and_nothing_happens_twice():
    caller = Caller()
    first = caller.create("k")
    again = caller.create("k")
    assert (again.status, again.body) == (first.status, first.body)
    assert (first.replayed, again.replayed) == (False, True)
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert again.headers["Request-Id"] != first.headers["Request-Id"]
    assert len(caller.book.shelf.intents) == 1


def test_the_kept_answer_is_the_first_one_although_the_intent_has_moved_on():
    caller = Caller()
    intent = caller.create("k").id
    caller.post(f"payment_intents/{intent}/cancel")
    assert caller.create("k").body["status"] == "requires_capture"
    assert caller.get(f"payment_intents/{intent}").body["status"] == "canceled"


def test_without_a_key_every_call_is_a_new_one():
    caller = Caller()
    assert caller.create("").id != caller.create("").id


def test_other_parameters_with_the_same_key_are_an_error_and_change_nothing():
    caller = Caller()
    caller.create("k")
    told = caller.create("k", amount=2_000)
    assert (told.status, told.error["type"]) == (400, "idempotency_error")
    assert "same parameters" in told.error["message"]
    assert caller.create("k").replayed
    assert len(caller.book.shelf.intents) == 1


def test_another_endpoint_with_the_same_key_is_an_error_and_changes_nothing():
    caller = Caller()
    intent = caller.create("k").id
    told = caller.post(f"payment_intents/{intent}/capture", "k")
    assert (told.status, told.error["type"]) == (400, "idempotency_error")
    assert "same endpoint" in told.error["message"]
    assert caller.status(intent) == "requires_capture"


def test_a_decline_is_kept_and_so_is_no_decline_for_another_card():
    caller = Caller()
    first = caller.create("k", payment_method=DECLINED)
    again = caller.create("k", payment_method=DECLINED)
    assert (first.status, again.status, again.replayed, again.body) == (402, 402, True, first.body)
    assert caller.create("k").error["type"] == "idempotency_error"


def test_a_refused_change_is_kept_although_it_would_be_allowed_later():
    caller = Caller()
    intent = caller.create(confirm=None).id
    refused = caller.post(f"payment_intents/{intent}/capture", "k")
    caller.post(f"payment_intents/{intent}/confirm")
    again = caller.post(f"payment_intents/{intent}/capture", "k")
    assert (refused.status, again.status, again.replayed) == (400, 400, True)
    assert caller.post(f"payment_intents/{intent}/capture", "k2").status == 200


def test_a_500_is_kept_although_the_money_is_authorised():
    caller = Caller(replace(QUIET, error_after=1.0))
    assert caller.create("k").status == 500
    caller.book.behave(QUIET)
    again = caller.create("k")
    assert (again.status, again.error["type"], again.replayed) == (500, "api_error", True)
    found = caller.get("payment_intents").body["data"]
    assert [(one["status"], one["metadata"]["order"]) for one in found] == [("requires_capture", "o1")]


def test_malformed_parameters_are_not_kept():
    caller = Caller()
    assert caller.create("k", amount="many").status == 400
    assert (caller.create("k").status, caller.create("k").replayed) == (200, True)


def test_an_id_that_names_nothing_is_not_kept():
    caller = Caller()
    assert caller.post("payment_intents/pi_none/capture", "k").status == 404
    assert caller.create("k").status == 200


def test_a_429_is_not_kept():
    caller = Caller(replace(QUIET, writes_per_s=1))
    caller.create("other")
    assert caller.create("k").status == 429
    caller.later(1_000)
    assert (caller.create("k").status, len(caller.book.shelf.intents)) == (200, 2)


def test_a_503_is_not_kept():
    caller = Caller(replace(QUIET, unavailable=1.0))
    assert caller.create("k").status == 503
    caller.book.behave(QUIET)
    assert (caller.create("k").status, caller.create("k").replayed) == (200, True)


def test_a_key_is_in_use_until_its_first_call_is_answered():
    caller = Caller(replace(QUIET, slow=1.0))
    first = caller.create("k")
    assert (first.status, first.fate) == (200, Fate.ANSWER)
    caller.later(first.delay_ms - 1)
    caller.book.behave(QUIET)
    during = caller.create("k")
    assert (during.status, during.error["code"]) == (409, "idempotency_key_in_use")
    caller.later(1)
    after = caller.create("k")
    assert (after.status, after.replayed, after.body) == (200, True, first.body)


@pytest.mark.parametrize("method", ["pm_card_visa", DECLINED])
def test_after_24_hours_a_key_is_new_and_charges_again(method):
    caller = Caller()
    caller.create("k", payment_method=method)
    caller.later(DAY_MS - 1)
    assert caller.create("k", payment_method=method).replayed
    caller.later(1)
    assert not caller.create("k", payment_method=method).replayed
    assert len(caller.book.shelf.intents) == 2


def test_a_key_is_kept_24_hours_from_its_first_answer_not_from_its_last():
    caller = Caller()
    first = caller.create("k")
    for _ in range(3):
        caller.later(DAY_MS // 4)
        assert caller.create("k").id == first.id
    caller.later(DAY_MS // 4)
    assert caller.create("k").id != first.id


def test_a_key_has_at_most_255_characters():
    caller = Caller()
    assert caller.create("k" * 255).status == 200
    assert caller.create("k" * 256).status == 400


def test_a_read_has_no_key():
    caller = Caller()
    intent = caller.create().id
    before = caller.call("GET", f"payment_intents/{intent}", "k", {})
    caller.post(f"payment_intents/{intent}/capture")
    after = caller.call("GET", f"payment_intents/{intent}", "k", {})
    assert (before.body["status"], after.body["status"]) == ("requires_capture", "succeeded")
