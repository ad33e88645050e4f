"""Events of orders on the wire: JSON with the CloudEvents attributes as headers."""

import json

import pytest

from streams.order_events import AskBody, Decided, Line, OrderEvent, decode, encode, source_of
from streams.records import UndecodableError

ORDER = "0001c0de-0000-8000-8000-000000000000"
CHANGED = OrderEvent(
    kind="changed",
    order=ORDER,
    partition=1,
    offset=42,
    index=1,
    time_ms=1_700_000_000_007,
    version=3,
    state="PAYMENT_PENDING",
    sequence=2,
    came_from="RESERVED",
    to="PAYMENT_PENDING",
    lines=[Line(1, "shoe", 1, 2, "h", 500, "EUR")],
    asks=[AskBody("authorise", attempt=1, authorised=1_000, currency="EUR")],
)
DECIDED = Decided("gateway-1@9", 12, 1, 42, 40, 1_700_000_000_007, [51, 0x80 | 51])


@pytest.mark.parametrize("event", [CHANGED, DECIDED])
def test_an_event_comes_back_as_it_went(event):
    record = encode(event, source_of(""))
    assert decode(record.headers, record.value) == event


def test_the_attributes_of_cloudevents_stand_in_the_headers():
    record = encode(CHANGED, source_of("shop-1"))
    assert record.key == ORDER.encode()
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "content-type": b"application/json",
        "ce_id": b"1:42:1",
        "ce_source": b"/turnstile/shop-1/order.ledger",
        "ce_type": b"turnstile.order.payment-pending.v1",
        "ce_time": b"2023-11-14T22:13:20.007Z",
        "ce_subject": ORDER.encode(),
    }
    assert json.loads(record.value)["from"] == "RESERVED"


def test_what_is_not_known_or_not_so_is_not_written():
    value = json.loads(encode(OrderEvent("requested", ORDER, 0, 1, 0, 5, 1, "RESERVED"), source_of("")).value)
    assert set(value) == {"kind", "order", "partition", "offset", "index", "time_ms", "version", "state"}


def test_the_answers_to_a_batch_go_to_its_sender():
    record = encode(DECIDED, source_of(""))
    headers = dict(record.headers)
    assert record.key == b"gateway-1@9"
    assert (headers["ce_id"], headers["ce_type"]) == (b"1:42:decided", b"turnstile.commands.decided.v1")
    assert headers["ce_source"] == b"/turnstile/default/order.ledger"


def test_a_type_of_a_later_version_is_still_an_event():
    record = encode(CHANGED, source_of(""))
    headers = {**dict(record.headers), "ce_type": b"turnstile.order.donated.v1"}
    value = json.dumps({**json.loads(record.value), "kind": "donated", "more": 1}).encode()
    assert decode(headers.items(), value).kind == "donated"


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"\xff", b'{"kind": 1}'])
def test_what_is_no_event_is_undecodable(value):
    for headers in ([], encode(DECIDED, "").headers):
        with pytest.raises(UndecodableError):
            decode(headers, value)
