"""Lists, newest first, by time and cursor; and events, each with the object of its moment."""

import pytest

from tests.adapters.stand_in.caller import CHALLENGE, START_MS, Caller

START_S = START_MS // 1000


@pytest.fixture
def caller():
    return Caller()


@pytest.fixture
def five(caller):
    """Five intents, a minute apart, the newest first."""
    made = []
    for _ in range(5):
        made.insert(0, caller.create().id)
        caller.later(60_000)
    return made


def ids(told):
    assert told.status == 200, told.body
    return [one["id"] for one in told.body["data"]]


def test_the_newest_comes_first_and_what_is_more_is_said(caller, five):
    told = caller.get("payment_intents", limit=2)
    assert (ids(told), told.body["has_more"], told.body["url"]) == (five[:2], True, "/v1/payment_intents")
    assert (ids(caller.get("payment_intents")), caller.get("payment_intents").body["has_more"]) == (five, False)


def test_a_cursor_leads_through_all_pages_forth_and_back(caller, five):
    told = caller.get("payment_intents", limit=2, starting_after=five[1])
    assert (ids(told), told.body["has_more"]) == (five[2:4], True)
    told = caller.get("payment_intents", limit=2, starting_after=five[3])
    assert (ids(told), told.body["has_more"]) == (five[4:], False)
    told = caller.get("payment_intents", limit=2, ending_before=five[3])
    assert (ids(told), told.body["has_more"]) == (five[1:3], True)
    assert ids(caller.get("payment_intents", limit=5, ending_before=five[0])) == []


@pytest.mark.parametrize("cursor", ["starting_after", "ending_before"])
def test_a_cursor_that_names_nothing_is_refused(caller, five, cursor):
    told = caller.get("payment_intents", **{cursor: "pi_none"})
    assert (told.status, told.error["code"], told.error["param"]) == (400, "resource_missing", cursor)


@pytest.mark.parametrize(
    ("created", "first", "last"),
    [
        ({"gte": START_S + 60}, 0, 4),
        ({"gt": START_S + 60}, 0, 3),
        ({"lte": START_S + 60}, 3, 5),
        ({"lt": START_S + 60}, 4, 5),
        ({"gte": START_S + 60, "lt": START_S + 180}, 2, 4),
        ({"gte": START_S + 10_000}, 0, 0),
        (START_S + 120, 2, 3),
    ],
)
def test_a_window_of_creation_is_exact(caller, five, created, first, last):
    assert ids(caller.get("payment_intents", created=created)) == five[first:last]


@pytest.mark.parametrize("wish", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"status": "x"}, {"created": "x"}])
def test_a_malformed_list_is_refused(caller, wish):
    assert caller.get("payment_intents", **wish).status == 400


def test_many_intents_of_one_second_come_through_pages_once_each(caller):
    made = [caller.create().id for _ in range(250)]
    found, cursor = [], {}
    while True:
        told = caller.get("payment_intents", limit=100, created={"gte": START_S}, **cursor)
        found += ids(told)
        if not told.body["has_more"]:
            break
        cursor = {"starting_after": found[-1]}
    assert found == made[::-1]


def test_refunds_are_listed_by_intent_and_by_charge(caller):
    first, second = caller.create(), caller.create()
    for one in (first, second):
        caller.post(f"payment_intents/{one.id}/capture")
    made = [caller.post("refunds", payment_intent=first.id, amount=100).id for _ in range(3)]
    other = caller.post("refunds", payment_intent=second.id).id
    assert ids(caller.get("refunds")) == [other, *made[::-1]]
    assert ids(caller.get("refunds", payment_intent=first.id)) == made[::-1]
    assert ids(caller.get("refunds", payment_intent=first.id, created={"gt": START_S})) == []
    assert ids(caller.get("refunds", charge=second.body["latest_charge"])) == [other]
    assert caller.get("refunds", payment_intent="pi_none").status == 404
    assert caller.get(f"refunds/{other}").body["amount"] == 1_000


def test_the_latest_charge_can_be_expanded(caller):
    intent = caller.create(expand=["latest_charge"])
    assert intent.body["latest_charge"]["amount"] == 1_000
    assert caller.get(f"payment_intents/{intent.id}", expand=["latest_charge"]).body["latest_charge"]["paid"] is True
    listed = caller.get("payment_intents", expand=["data.latest_charge"]).body["data"]
    assert listed[0]["latest_charge"]["payment_intent"] == intent.id
    assert isinstance(caller.get(f"payment_intents/{intent.id}").body["latest_charge"], str)


JOURNEYS = [
    ("a capture", ["capture"], ["created", "amount_capturable_updated", "succeeded"]),
    ("a cancel", ["cancel"], ["created", "amount_capturable_updated", "canceled", "charge.refunded"]),
    (
        "a refund",
        ["capture", "refund"],
        ["created", "amount_capturable_updated", "succeeded", "refund.created", "charge.refunded"],
    ),
    ("an expiry", ["expire"], ["created", "amount_capturable_updated", "canceled", "charge.expired"]),
]


@pytest.mark.parametrize(("name", "wishes", "types"), JOURNEYS)
def test_every_change_is_an_event(caller, name, wishes, types):
    intent = caller.create("k").id
    for wish in wishes:
        match wish:
            case "refund":
                caller.post("refunds", payment_intent=intent)
            case "expire":
                caller.book.expire(intent, caller.now_ms)
            case _:
                caller.post(f"payment_intents/{intent}/{wish}")
    events = caller.get("events").body["data"][::-1]
    assert [event["type"].removeprefix("payment_intent.") for event in events] == types
    assert (events[0]["request"]["idempotency_key"], events[0]["livemode"]) == ("k", False)


def test_a_decline_and_a_challenge_are_events(caller):
    caller.create(payment_method="pm_card_visa_chargeDeclined")
    caller.create(payment_method=CHALLENGE)
    types = [event["type"] for event in caller.get("events").body["data"]]
    assert types[0] == "payment_intent.requires_action"
    assert types[2] == "payment_intent.payment_failed"


def test_an_events_object_is_that_of_its_moment(caller):
    intent = caller.create().id
    caller.post(f"payment_intents/{intent}/capture", amount_to_capture=300)
    caller.post("refunds", payment_intent=intent, amount=100)
    by_type = {event["type"]: event["data"]["object"] for event in caller.get("events").body["data"]}
    assert by_type["payment_intent.created"]["status"] == "requires_confirmation"
    assert by_type["payment_intent.amount_capturable_updated"]["amount_capturable"] == 1_000
    assert by_type["payment_intent.succeeded"]["amount_received"] == 300
    refunded = by_type["charge.refunded"]
    assert (refunded["object"], refunded["payment_intent"], refunded["amount_refunded"]) == ("charge", intent, 100)


def test_events_are_listed_by_type_and_retrieved_by_id(caller):
    intent = caller.create().id
    caller.post(f"payment_intents/{intent}/capture")
    found = caller.get("events", type="payment_intent.succeeded").body["data"]
    assert [event["type"] for event in found] == ["payment_intent.succeeded"]
    wanted = ["payment_intent.succeeded", "payment_intent.created"]
    assert len(caller.get("events", types=wanted).body["data"]) == 2
    assert caller.get(f"events/{found[0]['id']}").body == found[0]
    assert caller.get("events/evt_none").status == 404


def test_a_call_that_changes_nothing_is_no_event(caller):
    intent = caller.create("k").id
    before = len(caller.book.shelf.events)
    caller.create("k")
    caller.post(f"payment_intents/{intent}/capture", amount_to_capture=9_999)
    caller.get(f"payment_intents/{intent}")
    assert len(caller.book.shelf.events) == before
