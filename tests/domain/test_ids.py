"""Order ids as text."""

import hmac
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import order_bytes, order_id, order_text, parse_order


def test_an_id_that_a_gateway_made_is_read_back():
    order = order_id(b"key", "ann", "first", 3)
    assert parse_order(order_text(order)) == order_bytes(order_text(order)) == order


NAME = st.text(st.characters(codec="utf-8"))


@given(st.binary(min_size=1), NAME, NAME, st.integers(0, (1 << 16) - 1))
def test_an_id_is_the_home_partition_and_a_keyed_digest_of_customer_and_key(key, customer, idempotency_key, home):
    text = f"turnstile order id v1{len(customer)}:{customer}:{idempotency_key}"
    digest = hmac.digest(key, text.encode(), "sha256")
    wanted = UUID(bytes=home.to_bytes(2, "big") + digest[:14])
    order = order_id(key, customer, idempotency_key, home)
    assert order[:2] == wanted.bytes[:2]
    assert UUID(bytes=order).version == 8
    differing = int.from_bytes(order, "big") ^ wanted.int
    assert differing & ~(0xF << 76 | 0b11 << 62) == 0


@given(st.binary(min_size=16, max_size=16))
def test_an_id_as_text_is_its_uuid(order):
    assert order_text(order) == str(UUID(bytes=order))


def test_an_id_that_no_gateway_makes_is_refused_at_the_door_and_borne_within():
    """A role that fell over it would fall over it again at every start."""
    order = b"\x00\x03" + bytes(14)
    with pytest.raises(ValueError, match="not an order id"):
        parse_order(order_text(order))
    assert order_bytes(order_text(order)) == order


def test_what_is_no_id_at_all_is_an_error():
    with pytest.raises(ValueError, match="badly formed"):
        order_bytes("order-7")
