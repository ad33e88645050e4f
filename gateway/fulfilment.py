"""What operators do with orders: ship, deliver, take back, refund, settle. All of it needs scope ops."""

from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import Response

from domain.orders import ALL_LINES, Deliver, Refund, Settle, Ship, TakeBack
from domain.shapes import SKU_MAX
from gateway.callers import Desk, Operator
from gateway.order_schemas import RefundWish, Settlement, Shipment, Takeback, WishDecided
from gateway.orders import PROBLEM, WISHING
from gateway.wishes import carry_out, order_of, wish_key

router = APIRouter(prefix="/v1/orders", tags=["fulfilment"])

_RESPONSES: dict[int | str, dict[str, Any]] = {**WISHING, 403: PROBLEM}
Key = Annotated[str, Header(alias="Idempotency-Key", pattern=r"^[A-Za-z0-9_-]{1,64}$")]


@router.post("/{order_id}/ship", response_model=WishDecided, responses=_RESPONSES)
async def ship(order_id: str, units: Shipment, _: Operator, desk: Desk) -> Response:
    """Units left the house; the order is SHIPPED when all have. Without line and quantity: everything."""
    order = order_of(order_id, desk)
    return await carry_out(desk, desk.order_operators, Ship(order, *_units(units)))


@router.post("/{order_id}/deliver", response_model=WishDecided, responses=_RESPONSES)
async def deliver(order_id: str, units: Shipment, _: Operator, desk: Desk) -> Response:
    """Units arrived; the order is DELIVERED when all have. Without line and quantity: everything."""
    order = order_of(order_id, desk)
    return await carry_out(desk, desk.order_operators, Deliver(order, *_units(units)))


@router.post("/{order_id}/return", response_model=WishDecided, responses=_RESPONSES)
async def take_back(order_id: str, units: Takeback, _: Operator, desk: Desk, idempotency_key: Key) -> Response:
    """Sold units come back, and their money goes back. Once per Idempotency-Key."""
    order = order_of(order_id, desk)
    key = wish_key(desk, order, "return", idempotency_key)
    return await carry_out(desk, desk.order_operators, TakeBack(order, key, *_units(units), units.restock))


@router.post("/{order_id}/refund", response_model=WishDecided, responses=_RESPONSES)
async def refund(order_id: str, wanted: RefundWish, _: Operator, desk: Desk, idempotency_key: Key) -> Response:
    """Money back without goods. Once per Idempotency-Key."""
    order = order_of(order_id, desk)
    key = wish_key(desk, order, "refund", idempotency_key)
    return await carry_out(desk, desk.order_operators, Refund(order, key, wanted.amount, wanted.reason))


@router.post("/{order_id}/settle", response_model=WishDecided, responses=_RESPONSES)
async def settle(order_id: str, found: Settlement, operator: Operator, desk: Desk) -> Response:
    """Tell an order what became of a request that the provider never answered, as an operator found it there."""
    order = order_of(order_id, desk)
    wish = Settle(order, operator.name[:SKU_MAX], found.reference, found.outcome)
    return await carry_out(desk, desk.order_operators, wish)


def _units(units: Shipment | Takeback) -> tuple[int, int]:
    return (ALL_LINES, 0) if units.line is None or units.quantity is None else (units.line, units.quantity)
