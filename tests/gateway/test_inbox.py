"""Webhooks: signed by one of our secrets, whole, about an order of this log; once."""

import json
import time

import pytest
from stripe import WebhookSignature

from domain.ids import order_id, order_text
from domain.orders import Hint
from gateway import inbox as module
from gateway.inbox import Inbox
from gateway.problems import InvalidRequestError, ProblemError
from streams.identity import Identity

LOG = bytes(range(16))
ORDER = order_id(b"key", "ann", "k1", 3)
OLD, NEW = "whsec_old", "whsec_new"


def inbox(secrets: str = OLD) -> Inbox:
    return Inbox(secrets, Identity(LOG, 4))


def event(**changes):
    metadata = {"environment": LOG.hex(), "order": order_text(ORDER), "attempt": "2"} | changes.pop("metadata", {})
    about = {"id": "pi_1", "object": "payment_intent", "metadata": metadata} | changes.pop("object", {})
    return {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "data": {"object": about}} | changes


def signed(body: bytes, secret: str = OLD, at_s: float = 0) -> str:
    return WebhookSignature.generate_signature_header(body.decode(), secret, int(at_s or time.time()))


def hint(**changes):
    box, body = inbox(), json.dumps(event(**changes)).encode()
    return box.hint_of(box.verify(body, signed(body)))


def test_a_signed_event_is_a_hint():
    assert hint() == Hint(ORDER, 2, "pi_1", "evt_1", "payment_intent.succeeded")


def test_a_charge_hints_at_its_intent():
    about = {"id": "ch_1", "object": "charge", "payment_intent": "pi_7"}
    assert hint(object=about, type="charge.refunded").intent == "pi_7"


def test_while_secrets_rotate_both_count():
    body = json.dumps(event()).encode()
    for secret in (OLD, NEW):
        assert inbox(f"{OLD}, {NEW}").verify(body, signed(body, secret)).id == "evt_1"
    for box, secret in ((inbox(NEW), OLD), (inbox(OLD), NEW)):
        with pytest.raises(InvalidRequestError):
            box.verify(body, signed(body, secret))


def test_without_a_secret_nothing_is_taken():
    body = json.dumps(event()).encode()
    for secrets in ("", " , "):
        with pytest.raises(ProblemError) as caught:
            inbox(secrets).verify(body, signed(body))
        assert caught.value.problem.status == 503


BODY = json.dumps(event()).encode()


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (BODY, None),
        (BODY, ""),
        (BODY, "nonsense"),
        (BODY, "t=now,v1=x"),
        (BODY, "t=1,v0=x"),
        (BODY, "ä"),
        (BODY, signed(BODY, "whsec_other")),
        (BODY, signed(BODY + b" ")),
        (BODY, signed(BODY, at_s=time.time() - module.TOLERANCE_S - 2)),
        (b"\xff\xfe", "t=1,v1=x"),
    ],
    ids=[
        "none",
        "empty",
        "nonsense",
        "no-time",
        "no-scheme",
        "not-ascii",
        "other-secret",
        "other-body",
        "old",
        "no-text",
    ],
)
def test_what_is_not_signed_by_us_now_is_refused(body, signature):
    with pytest.raises(InvalidRequestError):
        inbox().verify(body, signature)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"[" * 60_000,
        json.dumps({key: value for key, value in event().items() if key != "id"}).encode(),
        json.dumps({key: value for key, value in event().items() if key != "type"}).encode(),
        json.dumps({key: value for key, value in event().items() if key != "data"}).encode(),
        json.dumps(event(data={})).encode(),
        json.dumps(event(data={"object": {"id": "pi_1"}})).encode(),
        json.dumps(event(id=7)).encode(),
        json.dumps(event(object={"metadata": ["x"]})).encode(),
    ],
)
def test_what_is_signed_but_no_event_is_refused(body):
    with pytest.raises(InvalidRequestError):
        inbox().verify(body, signed(body))


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"environment": bytes(16).hex()}},
        {"metadata": {"environment": ""}},
        {"metadata": {"order": "nonsense"}},
        {"metadata": {"order": order_text(order_id(b"key", "ann", "k1", 4))}},
        {"metadata": {"attempt": "x"}},
        {"metadata": {"attempt": "256"}},
        {"metadata": {"attempt": "9" * 5_000}},
        {"metadata": {"attempt": "²"}},
        {"object": {"metadata": None}},
        {"object": {"object": "balance"}},
        {"object": {"object": "charge", "payment_intent": {"id": "pi_1"}}},
        {"object": {"id": "pi_" + "1" * 100}},
        {"id": "evt_" + "1" * 100},
    ],
)
def test_what_is_about_no_order_of_this_log_is_no_hint(changes):
    assert hint(**changes) is None


def test_an_event_is_new_once_for_some_minutes(monkeypatch):
    box, body = inbox(), json.dumps(event()).encode()
    one = box.verify(body, signed(body))
    now_s = [1_000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now_s[0])
    assert [box.is_new(one), box.is_new(one)] == [True, False]
    now_s[0] += module.REMEMBERED_S + 1
    assert box.is_new(one)
    box.forget(one)
    assert box.is_new(one)
