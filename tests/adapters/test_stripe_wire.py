"""What goes to Stripe, and what its answers say: one row an answer."""

import pytest

from adapters.stripe_wire import Wire, reply_of, request_of
from domain.provider import (
    Cancel,
    Capture,
    Create,
    Find,
    FindRefunds,
    IntentSeen,
    Limited,
    Page,
    Refund,
    RefundSeen,
    Refused,
    Retrieve,
    Status,
    Tags,
    Unknown,
)

TAGS = Tags("env", "o", 2)
METADATA = {"environment": "env", "order": "o", "attempt": "2"}
REPLAYED = {"Idempotent-Replayed": "true"}


def test_each_call_is_one_request():
    create = {
        "amount": 900,
        "currency": "eur",
        "payment_method": "pm",
        "payment_method_types": ["card"],
        "capture_method": "manual",
        "confirm": True,
        "metadata": METADATA,
    }
    refund = {"payment_intent": "pi", "amount": 5, "metadata": {**METADATA, "refund": "k"}}
    window = {"created": {"gte": 1, "lte": 3}, "limit": 100, "expand": ["data.latest_charge"]}
    assert {call: request_of(call) for call in (
        Create("k", TAGS, 900, "EUR", "pm"),
        Retrieve("pi"),
        Capture("k", "pi", 700),
        Cancel("k", "pi"),
        Refund("k", TAGS._replace(refund="k"), "pi", 5),
        Find(1_999, 2_001),
        Find(1_999, 2_001, "pi"),
        FindRefunds("pi"),
        FindRefunds("pi", "re"),
    )} == {
        Create("k", TAGS, 900, "EUR", "pm"): Wire("post", "/v1/payment_intents", create, "k"),
        Retrieve("pi"): Wire("get", "/v1/payment_intents/pi", {"expand": ["latest_charge"]}),
        Capture("k", "pi", 700): Wire("post", "/v1/payment_intents/pi/capture", {"amount_to_capture": 700}, "k"),
        Cancel("k", "pi"): Wire("post", "/v1/payment_intents/pi/cancel", {}, "k"),
        Refund("k", TAGS._replace(refund="k"), "pi", 5): Wire("post", "/v1/refunds", refund, "k"),
        Find(1_999, 2_001): Wire("get", "/v1/payment_intents", window),
        Find(1_999, 2_001, "pi"): Wire("get", "/v1/payment_intents", {**window, "starting_after": "pi"}),
        FindRefunds("pi"): Wire("get", "/v1/refunds", {"payment_intent": "pi", "limit": 100}),
        FindRefunds("pi", "re"): Wire(
            "get", "/v1/refunds", {"payment_intent": "pi", "limit": 100, "starting_after": "re"}
        ),
    }  # fmt: skip


def intent(**changes):
    return {
        "id": "pi",
        "object": "payment_intent",
        "amount": 900,
        "amount_capturable": 0,
        "amount_received": 0,
        "created": 7,
        "currency": "eur",
        "metadata": METADATA,
        "status": "canceled",
        **changes,
    }


SEEN = IntentSeen("pi", Status.CANCELED, 900, tags=TAGS, created_ms=7_000)
CHARGE = {"object": "charge", "amount_refunded": 200}
FAILED = {"code": "card_declined", "decline_code": "insufficient_funds"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, SEEN),
        (
            {"status": "requires_capture", "amount_capturable": 900},
            SEEN._replace(status=Status.REQUIRES_CAPTURE, capturable=900),
        ),
        (
            {"status": "succeeded", "amount_received": 700, "latest_charge": "ch"},
            SEEN._replace(status=Status.SUCCEEDED, captured=700),
        ),
        (
            {"status": "succeeded", "amount_received": 700, "latest_charge": CHARGE},
            SEEN._replace(status=Status.SUCCEEDED, captured=700, refunded=200),
        ),
        # The provider calls it a refund when an authorisation is given back.
        ({"status": "canceled", "latest_charge": CHARGE}, SEEN),
        (
            {"status": "requires_payment_method", "last_payment_error": FAILED},
            SEEN._replace(status=Status.REQUIRES_PAYMENT_METHOD, decline="insufficient_funds"),
        ),
        (
            {"status": "requires_payment_method", "last_payment_error": {"code": "expired_card"}},
            SEEN._replace(status=Status.REQUIRES_PAYMENT_METHOD, decline="expired_card"),
        ),
        (
            {
                "status": "requires_action",
                "next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank"}},
                "client_secret": "s",
            },
            SEEN._replace(status=Status.REQUIRES_ACTION, action="https://bank"),
        ),
        (
            {"status": "requires_action", "next_action": {"type": "use_stripe_sdk"}, "client_secret": "s"},
            SEEN._replace(status=Status.REQUIRES_ACTION, action="s"),
        ),
        ({"metadata": {}}, SEEN._replace(tags=Tags("", "", 0))),
        ({"metadata": {**METADATA, "attempt": "first"}}, SEEN._replace(tags=Tags("env", "o", 0))),
    ],
)
def test_an_intent_is_what_its_fields_say(changes, expected):
    assert reply_of(200, {}, intent(**changes)) == expected


def error(**fields):
    return {"error": {"message": "what people read", **fields}}


@pytest.mark.parametrize(
    ("status", "headers", "body", "expected"),
    [
        (200, REPLAYED, intent(), SEEN._replace(replayed=True)),
        (200, {"idempotent-replayed": "true"}, intent(), SEEN._replace(replayed=True)),
        (402, {}, error(code="card_declined", decline_code="lost_card", payment_intent=intent()), SEEN),
        (402, REPLAYED, error(code="card_declined", payment_intent=intent()), SEEN._replace(replayed=True)),
        (402, {}, error(code="card_declined", decline_code="lost_card"), Refused("lost_card")),
        (400, {}, error(type="invalid_request_error", code="amount_too_small"), Refused("amount_too_small")),
        (400, REPLAYED, error(code="intent_invalid_state"), Refused("intent_invalid_state", replayed=True)),
        (400, {}, error(type="invalid_request_error"), Refused("invalid_request_error")),
        (404, {}, error(type="invalid_request_error", code="resource_missing"), Refused("resource_missing")),
        (400, {}, error(type="idempotency_error"), Unknown("idempotency_error")),
        (409, {}, error(type="idempotency_error", code="idempotency_key_in_use"),
         Unknown("http 409 idempotency_key_in_use")),
        (401, {}, error(type="invalid_request_error"), Unknown("http 401 invalid_request_error", outage=True)),
        (403, {}, error(type="invalid_request_error"), Unknown("http 403 invalid_request_error", outage=True)),
        (429, {}, error(code="rate_limit"), Limited(1_000)),
        (429, {"Retry-After": "3"}, error(code="lock_timeout"), Limited(3_000)),
        (400, {}, error(code="rate_limit"), Limited(1_000)),
        (500, {}, error(type="api_error"), Unknown("http 500", outage=True)),
        (500, REPLAYED, error(type="api_error"), Unknown("http 500", replayed=True)),
        (503, {}, None, Unknown("http 503", outage=True)),
        (200, {}, None, Unknown("http 200", outage=True)),
        (200, {}, intent(status="new"), Unknown("http 200 ValueError(\"'new' is not a valid Status\")")),
        (200, {}, {"object": "charge"}, Unknown("an unexpected charge")),
        (302, {}, {}, Unknown("http 302")),
        (200, {}, {"object": "refund", "id": "re", "status": "pending", "amount": 5, "metadata": {"refund": "k"}},
         RefundSeen("re", "pending", 5, Tags("", "", 0, "k"))),
        (200, REPLAYED, {"object": "refund", "id": "re", "status": None, "amount": 5, "metadata": {}},
         RefundSeen("re", "pending", 5, replayed=True)),
        (200, {}, {"object": "list", "data": [intent()], "has_more": True}, Page((SEEN,), (), more=True)),
        (200, {}, {"object": "list", "data": [], "has_more": False}, Page()),
    ],
)  # fmt: skip
def test_an_answer_says_what_is_known(status, headers, body, expected):
    assert reply_of(status, headers, body) == expected
