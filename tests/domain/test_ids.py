"""Order ids as text."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import order_bytes, order_id, order_text, parse_order


def test_an_id_that_a_gateway_made_is_read_back():
    order = order_id(b"key", "ann", "first", 3)
    assert parse_order(order_text(order)) == order_bytes(order_text(order)) == order


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
