"""No unit of money appears or vanishes: authorised = captured + voided + capturable, refunded <= captured."""

import random

import pytest
from msgspec.structs import replace

from adapters.stand_in.behaviour import DAY_MS
from adapters.stand_in.charges import charge_of, lines, read_lines
from tests.adapters.stand_in.caller import CHALLENGE, QUIET, VISA, Caller

WEEK_MS = 7 * DAY_MS


@pytest.fixture
def caller():
    return Caller()


@pytest.fixture
def intent(caller):
    return caller.create().id


def row(caller, intent):
    return charge_of(caller.book.shelf.intents[intent])


def test_a_full_capture_takes_all(caller, intent):
    told = caller.post(f"payment_intents/{intent}/capture")
    assert (told.body["amount_received"], told.body["amount_capturable"]) == (1_000, 0)
    assert row(caller, intent).captured == 1_000


def test_a_partial_capture_releases_the_rest(caller, intent):
    told = caller.post(f"payment_intents/{intent}/capture", amount_to_capture=300)
    assert (told.body["amount_received"], told.body["amount_capturable"]) == (300, 0)
    found = row(caller, intent)
    assert (found.authorised, found.captured, found.voided) == (1_000, 300, 700)
    assert caller.post(f"payment_intents/{intent}/capture", amount_to_capture=700).status == 400


@pytest.mark.parametrize("amount", [1_001, 0, -1, "x"])
def test_no_more_than_is_authorised_and_no_less_than_1_can_be_captured(caller, intent, amount):
    told = caller.post(f"payment_intents/{intent}/capture", amount_to_capture=amount)
    assert (told.status, told.error["param"]) == (400, "amount_to_capture")
    assert (caller.status(intent), row(caller, intent).captured) == ("requires_capture", 0)


def test_several_captures_are_not_to_be_had(caller, intent):
    told = caller.post(f"payment_intents/{intent}/capture", amount_to_capture=300, final_capture=False)
    assert (told.status, told.error["param"]) == (400, "final_capture")
    assert caller.status(intent) == "requires_capture"


def test_refunds_add_up_to_no_more_than_was_captured(caller, intent):
    caller.post(f"payment_intents/{intent}/capture", amount_to_capture=900)
    assert caller.post("refunds", payment_intent=intent, amount=400).body["amount"] == 400
    too_much = caller.post("refunds", payment_intent=intent, amount=501)
    assert (too_much.status, too_much.error["param"]) == (400, "amount")
    assert caller.post("refunds", payment_intent=intent, amount=499).status == 200
    assert caller.post("refunds", payment_intent=intent).body["amount"] == 1
    done = caller.post("refunds", payment_intent=intent)
    assert (done.status, done.error["code"]) == (400, "charge_already_refunded")
    assert row(caller, intent).refunded == 900
    assert caller.status(intent) == "succeeded"


def test_a_refund_may_name_the_charge_instead(caller, intent):
    charge = caller.post(f"payment_intents/{intent}/capture").body["latest_charge"]
    told = caller.post("refunds", charge=charge, reason="requested_by_customer")
    assert (told.body["payment_intent"], told.body["charge"], told.body["status"]) == (intent, charge, "succeeded")
    assert caller.post("refunds", charge=charge, payment_intent=intent).status == 400
    assert caller.post("refunds").status == 400
    assert caller.post("refunds", charge="ch_none").status == 404


def test_a_charge_that_failed_is_none_to_refund(caller):
    declined = caller.create(payment_method="pm_card_visa_chargeDeclined", capture_method=None).error
    paid = caller.post(f"payment_intents/{declined['payment_intent']['id']}/confirm", payment_method=VISA).body
    assert caller.post("refunds", charge=declined["charge"]).status == 404
    assert caller.post("refunds", charge=paid["latest_charge"]).status == 200


def test_a_refund_repeated_with_its_key_is_given_once(caller, intent):
    caller.post(f"payment_intents/{intent}/capture")
    first = caller.post("refunds", "r", payment_intent=intent, amount=600)
    again = caller.post("refunds", "r", payment_intent=intent, amount=600)
    assert (again.replayed, again.id, row(caller, intent).refunded) == (True, first.id, 600)


def test_a_refund_that_fails_later_leaves_the_money_with_us_to_be_refunded_again(caller):
    intent = caller.create(payment_method="pm_card_refundFail", capture_method=None).id
    failing = caller.post("refunds", payment_intent=intent)
    assert (failing.body["status"], row(caller, intent).refunded) == ("succeeded", 1_000)
    caller.later(QUIET.refund_ms - 1)
    assert caller.post("refunds", payment_intent=intent).error["code"] == "charge_already_refunded"
    caller.later(1)
    assert caller.get(f"refunds/{failing.id}").body["status"] == "failed"
    assert row(caller, intent).refunded == 0
    assert caller.get("events").body["data"][0]["data"]["object"]["id"] == failing.id
    assert caller.post("refunds", payment_intent=intent, amount=400).status == 200


def test_a_refund_that_is_pending_counts_and_succeeds_later(caller):
    intent = caller.create(payment_method="pm_card_pendingRefund", capture_method=None).id
    pending = caller.post("refunds", "r", payment_intent=intent, amount=600)
    assert (pending.body["status"], row(caller, intent).refunded) == ("pending", 600)
    assert caller.post("refunds", payment_intent=intent, amount=401).status == 400
    caller.later(QUIET.refund_ms)
    (listed,) = caller.get("refunds", payment_intent=intent).body["data"]
    assert (listed["id"], listed["status"]) == (pending.id, "succeeded")
    assert caller.post("refunds", "r", payment_intent=intent, amount=600).body["status"] == "pending"
    assert [event["type"] for event in caller.get("events", limit=1).body["data"]] == ["refund.updated"]
    assert row(caller, intent).refunded == 600


def test_a_cancel_gives_back_what_was_authorised(caller, intent):
    told = caller.post(f"payment_intents/{intent}/cancel", cancellation_reason="abandoned")
    assert (told.body["status"], told.body["cancellation_reason"]) == ("canceled", "abandoned")
    assert (told.body["amount_capturable"], told.body["canceled_at"]) == (0, caller.now_ms // 1000)
    charge = caller.get(f"charges/{told.body['latest_charge']}").body
    assert (charge["refunded"], charge["captured"], charge["amount_refunded"]) == (True, False, 1_000)
    assert row(caller, intent).voided == 1_000


def test_an_authorisation_ends_after_seven_days(caller, intent):
    caller.later(WEEK_MS - 1)
    assert caller.get(f"payment_intents/{intent}").body["status"] == "requires_capture"
    caller.later(1)
    told = caller.get(f"payment_intents/{intent}").body
    assert (told["status"], told["cancellation_reason"]) == ("canceled", "automatic")
    assert caller.post(f"payment_intents/{intent}/capture").status == 400
    assert (row(caller, intent).voided, row(caller, intent).captured) == (1_000, 0)


def test_an_authorisation_lasts_from_when_it_was_given_not_from_the_intents_birth(caller):
    intent = caller.create(payment_method=CHALLENGE).id
    caller.later(DAY_MS)
    caller.book.settle(intent, caller.now_ms, ok=True)
    caller.later(WEEK_MS - 1)
    assert caller.post(f"payment_intents/{intent}/capture").status == 200


def test_what_was_captured_or_cancelled_does_not_expire(caller):
    captured, cancelled = caller.create().id, caller.create().id
    caller.post(f"payment_intents/{captured}/capture")
    caller.post(f"payment_intents/{cancelled}/cancel")
    caller.later(2 * WEEK_MS)
    caller.book.advance(caller.now_ms)
    assert (caller.status(captured), caller.status(cancelled)) == ("succeeded", "canceled")
    assert caller.book.shelf.intents[cancelled].cancellation_reason == ""


def test_a_share_of_cards_is_declined_by_what_the_attempt_is_and_not_by_when_it_comes():
    def declined(orders):
        caller = Caller(replace(QUIET, declines=0.2, seed=5))
        metadata = {"environment": "test", "attempt": "1"}
        return {order for order in orders if caller.create(metadata={**metadata, "order": order}).status == 402}

    orders = [f"o{number}" for number in range(1_000)]
    found = declined(orders)
    assert 150 < len(found) < 250
    assert declined(reversed(orders)) == found


def test_another_attempt_of_an_order_has_another_chance():
    caller = Caller(replace(QUIET, declines=0.5))
    statuses = {
        caller.create(metadata={"environment": "test", "order": "o1", "attempt": str(attempt)}).status
        for attempt in range(20)
    }
    assert statuses == {200, 402}


def test_the_book_of_charges_has_a_row_an_intent_and_can_be_read_back(caller):
    caller.create(metadata={"environment": "e", "order": "o7", "attempt": "2"})
    caller.create(metadata=None, amount=5_000, currency="USD")
    written = lines(caller.book.charges())
    assert written.count(b"\n") == 2
    first, second = read_lines(written)
    assert (first.environment, first.order, first.attempt, first.authorised) == ("e", "o7", 2, 1_000)
    assert (second.order, second.attempt, second.amount, second.currency) == ("", 0, 5_000, "usd")


@pytest.mark.parametrize("seed", range(10))
def test_money_adds_up_after_any_sequence_of_calls(seed):
    chance = random.Random(seed)
    caller = Caller(replace(QUIET, declines=0.2, seed=seed))
    cards = [VISA, CHALLENGE, "pm_card_refundFail", "pm_card_pendingRefund"]
    for number in range(10):
        caller.create(confirm=chance.choice([True, None]), metadata={"order": f"o{number}", "attempt": "1"})
    intents = list(caller.book.shelf.intents)
    for _ in range(500):
        intent = chance.choice(intents)
        amount = chance.choice([None, 1, 300, 999, 1_000, 1_001])
        match chance.choice(["confirm", "capture", "cancel", "refund", "refund", "expire", "settle", "time"]):
            case "refund":
                caller.post("refunds", payment_intent=intent, amount=amount)
            case "capture":
                caller.post(f"payment_intents/{intent}/capture", amount_to_capture=amount)
            case "confirm":
                caller.post(f"payment_intents/{intent}/confirm", payment_method=chance.choice(cards))
            case "cancel" if chance.random() < 0.05:
                caller.post(f"payment_intents/{intent}/cancel")
            case "expire" if chance.random() < 0.05:
                caller.book.expire(intent, caller.now_ms)
            case "settle":
                caller.book.settle(intent, caller.now_ms, ok=chance.random() < 0.5)
            case "time":
                caller.later(chance.randint(0, DAY_MS // 50))
        for one in caller.book.shelf.intents.values():
            assert one.authorised == one.captured + one.voided + one.capturable
            assert 0 <= one.refunded <= one.captured
            assert one.authorised in {0, one.amount}
    refunds = list(caller.book.shelf.refunds.values())
    for one in caller.book.shelf.intents.values():
        assert (
            sum(refund.amount for refund in refunds if refund.intent == one.id and refund.status != "failed")
            == one.refunded
        )
    assert any(one.captured for one in caller.book.shelf.intents.values())
