"""Reading bodies and headers; what the documented models accept is what the hot path accepts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.parsing import Line, parse_key, parse_order_body, parse_wait
from gateway.problems import InvalidRequestError
from gateway.schemas import NewOrder


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=2", 2),
        ("WAIT=2", 2),
        (" wait = 3 ", 3),
        ('wait="4"', 4),
        ("wait=5", 5),
        ("wait=6", 5),
        ("wait=999999999", 5),
        ("wait=0", 0),
        ("respond-async, wait=1", 1),
        ("wait=1; foo=bar", 1),
        ("handling=lenient;wait=1", 1),
        ("", 0),
        ("wait", 0),
        ("wait=", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=soon", 0),
        ("await=1", 0),
    ],
)
def test_prefer(prefer, seconds):
    assert parse_wait(prefer) == seconds


@pytest.mark.parametrize("key", [b"k", b"a-Z_09", b"k" * 64])
def test_a_key_is_taken_as_it_is(key):
    assert parse_key(key) == key.decode()


@pytest.mark.parametrize("key", [None, b"", b"k" * 65, b"a b", b"a\n", "ä".encode(), b"a.b", b"\xff"])
def test_anything_else_is_no_key(key):
    with pytest.raises(InvalidRequestError) as caught:
        parse_key(key)
    assert caught.value.extra["errors"][0]["path"] == "Idempotency-Key"


def test_a_line():
    body = b'{"items": [{"sku": "poster-a2", "quantity": 2, "max_price": 100}]}'
    assert parse_order_body(body) == Line("poster-a2", 2, 100)
    assert parse_order_body(b'{"items":[{"sku":"a","quantity":1}]}') == Line("a", 1, None)


def test_a_message_is_not_longer_than_useful():
    with pytest.raises(InvalidRequestError) as caught:
        parse_order_body(json.dumps({"x" * 10_000: 1}).encode())
    (error,) = caught.value.extra["errors"]
    assert len(error["path"]) <= 200
    assert len(error["message"]) <= 200


ANY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
    st.sampled_from(["a", "A.b-c_9", "-a", ".a", "a\n", "a" * 64, "a" * 65, "ä"]),
)
LINES = st.fixed_dictionaries(
    {}, optional={"sku": st.just("a") | ANY, "quantity": st.just(1) | ANY, "max_price": ANY, "other": ANY}
)
BODIES = st.fixed_dictionaries({}, optional={"items": st.lists(LINES | ANY, max_size=2) | ANY, "other": ANY})


@given(BODIES)
def test_the_documented_model_and_the_hot_path_agree(body):
    text = json.dumps(body).encode()
    try:
        parsed = parse_order_body(text)
    except InvalidRequestError:
        parsed = None
    try:
        (item,) = NewOrder.model_validate_json(text).items
        documented = Line(item.sku, item.quantity, item.max_price)
    except ValidationError:
        documented = None
    assert parsed == documented
