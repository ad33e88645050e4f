"""Reading bodies and headers; what the documented models accept is what the hot path accepts."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.shapes import QUANTITY_MAX
from gateway.order_schemas import NewOrder as Documented
from gateway.order_schemas import RefundWish, Settlement
from gateway.parsing import Line, NewOrder, Shipping, parse_key, parse_order_body, parse_wait
from gateway.problems import InvalidRequestError


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


def order(*items, **more) -> bytes:
    names = ("sku", "quantity", "max_price")
    lines = [dict(zip(names, item, strict=False)) for item in items]
    return json.dumps({"items": lines, **more}).encode()


def test_a_line():
    assert parse_order_body(order(("poster-a2", 2, 100))).items == [Line("poster-a2", 2, 100)]
    assert parse_order_body(order(("a", 1))) == NewOrder([Line("a", 1, None)])


def test_equal_skus_are_one_line_and_lines_are_sorted():
    parsed = parse_order_body(order(("b", 1), ("a", 2, 50), ("b", 3, 90), ("b", 4, 80), ("C", 1)))
    assert parsed.items == [Line("C", 1), Line("a", 2, 50), Line("b", 8, 80)]
    assert parse_order_body(order(("a", 1), ("a", 2))).items == [Line("a", 3)]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "0 lines; an order has 1 to 20"),
        ([("a", 1)] * 21, "21 lines; an order has 1 to 20"),
        ([("a", 65_535), ("a", 1)], "65536 of a in all; at most 65535"),
    ],
)
def test_too_many_lines_and_units_are_refused(items, message):
    with pytest.raises(InvalidRequestError) as caught:
        parse_order_body(order(*items))
    assert caught.value.extra["errors"] == [{"path": "$.items", "message": message}]


ADDRESS = {
    "name": "Ann",
    "email": "ann@example.org",
    "line1": "Main Street 1",
    "postal_code": "1",
    "city": "Town",
    "country": "DE",
}


def test_what_an_order_may_have_besides():
    parsed = parse_order_body(order(("a", 1), partial=True, payment_method="pm_card_visa", shipping=ADDRESS))
    assert (parsed.partial, parsed.payment_method, parsed.shipping) == (True, "pm_card_visa", Shipping(**ADDRESS))


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"partial": 1}, "$.partial"),
        ({"payment_method": "pm card"}, "$.payment_method"),
        ({"payment_method": "pm_" + "x" * 62}, "$.payment_method"),
        ({"shipping": {}}, "$.shipping.name"),
        ({"shipping": {**ADDRESS, "email": "ann"}}, "$.shipping.email"),
        ({"shipping": {**ADDRESS, "email": "a@b\nBcc: c@d"}}, "$.shipping.email"),
        ({"shipping": {**ADDRESS, "name": "Ann\r\nBcc: c@d"}}, "$.shipping.name"),
        ({"shipping": {**ADDRESS, "country": "de"}}, "$.shipping.country"),
        ({"shipping": {**ADDRESS, "city": "x" * 101}}, "$.shipping.city"),
        ({"shipping": {**ADDRESS, "colour": "red"}}, "$.shipping.colour"),
    ],
)
def test_what_is_wrong_about_it_is_named(more, path):
    with pytest.raises(InvalidRequestError) as caught:
        parse_order_body(order(("a", 1), **more))
    assert [error["path"] for error in caught.value.extra["errors"]] == [path]


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
SHIPPING = st.fixed_dictionaries(
    {name: st.just(value) | ANY for name, value in ADDRESS.items()}, optional={"line2": ANY, "region": ANY}
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "items": st.lists(LINES | ANY, max_size=2) | ANY,
        "partial": ANY,
        "payment_method": st.just("pm_card_visa") | ANY,
        "shipping": SHIPPING | ANY,
        "other": ANY,
    },
)


@given(BODIES)
@example({"items": [{"sku": "a", "quantity": 1}], "shipping": ADDRESS})
def test_the_documented_model_and_the_hot_path_agree(body):
    text = json.dumps(body).encode()
    try:
        parse_order_body(text)
    except InvalidRequestError:
        is_taken = False
    else:
        is_taken = True
    try:
        documented = Documented.model_validate_json(text)
    except ValidationError:
        assert not is_taken
    else:
        assert is_taken or sum(item.quantity for item in documented.items) > QUANTITY_MAX


@pytest.mark.parametrize(
    ("model", "good", "bad"),
    [
        (RefundWish, {"amount": 1, "reason": ""}, {"amount": 1, "reason": "late\0"}),
        (Settlement, {"outcome": "voided", "reference": "caf\u00e9 1"}, {"outcome": "voided", "reference": "1\n2"}),
    ],
)
def test_what_operators_write_is_one_line_of_text(model, good, bad):
    assert model.model_validate(good).model_dump() == good
    with pytest.raises(ValueError, match="pattern"):
        model.model_validate(bad)
