"""Every status x every wish: what is allowed goes where the provider says, the rest changes nothing."""

import pytest

from adapters.stand_in.methods import METHODS, PROCESSING
from adapters.stand_in.objects import Status
from tests.adapters.stand_in.caller import CHALLENGE, VISA, Caller

UNCONFIRMED = {"confirm": None, "payment_method_types": None}

# The status that follows; - = refused, nothing changes; = the wish is allowed and the status stays.
MATRIX = """
status                   confirm           capture    cancel    refund     complete          fail                     expire
requires_payment_method  requires_capture  -          canceled  -          -                 -                        -
requires_confirmation    requires_capture  -          canceled  -          -                 -                        -
requires_action          requires_capture  -          canceled  -          requires_capture  requires_payment_method  -
processing               -                 -          canceled  -          requires_capture  requires_payment_method  -
requires_capture         -                 succeeded  canceled  -          -                 -                        canceled
succeeded                -                 -          -         =          -                 -                        -
canceled                 -                 -          -         -          -                 -                        -
"""  # noqa: E501
COLUMNS, *ROWS = [line.split() for line in MATRIX.strip().splitlines()]
CELLS = [(row[0], wish, then) for row in ROWS for wish, then in zip(COLUMNS[1:], row[1:], strict=True)]


def brought_to(caller: Caller, status: str) -> str:
    match Status(status):
        case Status.REQUIRES_PAYMENT_METHOD:
            return caller.create(**UNCONFIRMED, payment_method=None).id
        case Status.REQUIRES_CONFIRMATION:
            return caller.create(**UNCONFIRMED).id
        case Status.REQUIRES_ACTION:
            return caller.create(payment_method=CHALLENGE).id
        case Status.PROCESSING:
            return caller.create(payment_method=PROCESSING).id
        case Status.REQUIRES_CAPTURE:
            return caller.create().id
        case Status.SUCCEEDED:
            intent = caller.create().id
            caller.post(f"payment_intents/{intent}/capture")
            return intent
        case Status.CANCELED:
            intent = caller.create().id
            caller.post(f"payment_intents/{intent}/cancel")
            return intent


def wished(caller: Caller, intent: str, wish: str) -> bool:
    """Whether it was allowed."""
    match wish:
        case "confirm":
            told = caller.post(f"payment_intents/{intent}/confirm", payment_method=VISA)
        case "capture" | "cancel":
            told = caller.post(f"payment_intents/{intent}/{wish}")
        case "refund":
            told = caller.post("refunds", payment_intent=intent)
        case "expire":
            return caller.book.expire(intent, caller.now_ms) is None
        case _:
            return caller.book.settle(intent, caller.now_ms, ok=wish == "complete") is None
    if told.status != 200:
        assert (told.status, told.error["code"]) == (400, "payment_intent_unexpected_state")
    return told.status == 200


def test_the_matrix_has_every_status():
    assert {row[0] for row in ROWS} == set(Status)


@pytest.mark.parametrize(("status", "wish", "then"), CELLS)
def test_every_wish_in_every_status(status, wish, then):
    caller = Caller()
    intent = brought_to(caller, status)
    assert caller.status(intent) == status
    before = caller.book.shelf.intents[intent]
    assert wished(caller, intent, wish) is (then != "-")
    after = caller.book.shelf.intents[intent]
    if then == "-":
        assert after == before
    else:
        assert (after.status, after.version) == (status if then == "=" else then, before.version + 1)


def test_a_refused_change_shows_the_intent_as_it_is():
    caller = Caller()
    intent = caller.create().id
    caller.post(f"payment_intents/{intent}/cancel")
    told = caller.post(f"payment_intents/{intent}/capture")
    assert told.error["payment_intent"]["status"] == "canceled"
    assert "has a status of canceled" in told.error["message"]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_a_declined_card_leaves_an_intent_that_another_card_can_pay(method, code, decline_code):
    caller = Caller()
    told = caller.create(payment_method=method)
    assert (told.status, told.error["type"], told.error["code"]) == (402, "card_error", code)
    assert told.error.get("decline_code") == decline_code
    intent = told.error["payment_intent"]
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    assert intent["last_payment_error"]["code"] == code
    assert intent["latest_charge"] == told.error["charge"]
    assert caller.get(f"charges/{told.error['charge']}").body["status"] == "failed"

    paid = caller.post(f"payment_intents/{intent['id']}/confirm", payment_method=VISA)
    assert (paid.body["status"], paid.body["last_payment_error"]) == ("requires_capture", None)
    assert paid.body["latest_charge"] != told.error["charge"]


def test_a_challenge_can_be_passed_failed_or_turn_out_without_money():
    caller = Caller()
    asked = caller.create(payment_method=CHALLENGE)
    assert (asked.status, asked.body["status"]) == (200, "requires_action")
    assert asked.body["next_action"]["type"] == "use_stripe_sdk"
    assert asked.body["latest_charge"] is None

    failing = caller.create(payment_method=CHALLENGE, return_url="https://shop.invalid/back")
    assert failing.body["next_action"]["type"] == "redirect_to_url"
    caller.book.settle(failing.id, caller.now_ms, ok=False)
    failed = caller.get(f"payment_intents/{failing.id}").body
    assert failed["last_payment_error"]["code"] == "payment_intent_authentication_failure"

    poor = caller.create(payment_method="pm_card_authenticationRequiredChargeDeclinedInsufficientFunds").id
    caller.book.settle(poor, caller.now_ms, ok=True)
    assert caller.get(f"payment_intents/{poor}").body["last_payment_error"]["decline_code"] == "insufficient_funds"


@pytest.mark.parametrize("wish", [{"off_session": True}, {"error_on_requires_action": True}])
def test_a_customer_who_is_away_cannot_be_challenged(wish):
    told = Caller().create(payment_method=CHALLENGE, **wish)
    assert (told.status, told.error["code"]) == (402, "authentication_required")
    assert told.error["payment_intent"]["status"] == "requires_payment_method"


def test_an_automatic_capture_succeeds_at_once():
    told = Caller().create(capture_method=None)
    assert (told.body["status"], told.body["amount_received"], told.body["amount_capturable"]) == ("succeeded", 1000, 0)


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"amount": "many"}, "parameter_invalid_integer", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 10**8}, "parameter_invalid_integer", "amount"),
        ({"currency": "euro"}, None, "currency"),
        ({"amonut": 5}, "parameter_unknown", "amonut"),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"payment_method": "pm_card_none"}, "resource_missing", "payment_method"),
        ({"payment_method": None}, "payment_intent_unexpected_state", "payment_method"),
        ({"payment_method_types": None}, None, "return_url"),
        ({"automatic_payment_methods": {"enabled": True}}, None, "automatic_payment_methods"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {str(n): "v" for n in range(51)}}, None, "metadata"),
        ({"confirm": None, "return_url": "https://shop.invalid"}, None, "return_url"),
        ({"expand": ["customer"]}, None, "expand[0]"),
    ],
)
def test_a_malformed_create_makes_nothing(changes, code, param):
    caller = Caller()
    told = caller.create(**changes)
    assert (told.status, told.error["type"]) == (400, "invalid_request_error")
    assert (told.error.get("code"), told.error["param"]) == (code, param)
    assert caller.book.shelf.intents == {}


@pytest.mark.parametrize(
    "way",
    [
        {"payment_method_types": ["card"]},
        {"payment_method_types": None, "return_url": "https://shop.invalid"},
        {"payment_method_types": None, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}},
    ],
)
def test_a_confirmation_that_cannot_lead_the_customer_astray_is_taken(way):
    assert Caller().create(**way).body["status"] == "requires_capture"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "payment_intents/pi_none", 404),
        ("GET", "charges/ch_none", 404),
        ("POST", "payment_intents/pi_none/capture", 404),
        ("POST", "payment_intents/pi_none/explode", 404),
        ("DELETE", "payment_intents", 404),
        ("GET", "nothing", 404),
    ],
)
def test_what_is_not_there_is_not_found(method, path, status):
    told = Caller().call(method, path, "", {})
    assert (told.status, told.error["type"]) == (status, "invalid_request_error")


def test_every_test_card_of_the_catalogue_ends_in_a_known_status():
    for method in METHODS:
        caller = Caller()
        told = caller.create(payment_method=method)
        intent = told.body if told.status == 200 else told.error["payment_intent"]
        assert Status(intent["status"]) in {
            Status.REQUIRES_CAPTURE, Status.REQUIRES_ACTION, Status.REQUIRES_PAYMENT_METHOD, Status.PROCESSING,
        }  # fmt: skip
