"""Orders after the purchase, for whoever made them: look, list, pay, cancel."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import JSONResponse, Response

from domain.ids import customer_hash
from domain.orders import Cancel, Method
from gateway.callers import Caller, Desk
from gateway.order_body import body_of, body_of_hold
from gateway.order_schemas import OrderList, OrderState, Payment, WishAppended, WishDecided
from gateway.parsing import parse_key
from gateway.problems import Problem, ProblemError
from gateway.schemas import ProblemBody
from gateway.service import Service
from gateway.wishes import NO_ORDER, carry_out_for, order_of, wish_key

router = APIRouter(prefix="/v1/orders", tags=["orders"])

PAGE_MAX = 100
_TAG = re.compile(r'"(\d{1,9})\.(\d{1,9})"')
ME = "me"
PROBLEM: dict[str, Any] = {"model": ProblemBody}
READING: dict[int | str, dict[str, Any]] = dict.fromkeys((401, 404, 429, 503), PROBLEM)
WISHING: dict[int | str, dict[str, Any]] = {
    202: {"model": WishAppended, "description": "In the log; not decided in 5 s"},
    **dict.fromkeys((400, 401, 404, 409, 429, 503, 504), PROBLEM),
}
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key")]


@router.get(
    "/{order_id}",
    response_model=OrderState,
    responses={304: {"description": "Nothing is new since the version in If-None-Match"}, **READING},
)
async def show(
    order_id: str,
    caller: Caller,
    desk: Desk,
    if_none_match: Annotated[str | None, Header(description="An ETag of this order")] = None,
) -> Response:
    """What has become of an own order (with scope ops: of any), the same at every gateway. Never goes back."""
    check_ready(desk)
    order = order_of(order_id, desk)
    now = await desk.lookup.find(order)
    if now is not None:
        customer, tag, body = now.customer, now.tag, body_of(now, ops=caller.is_ops)
    else:
        known = desk.view.find(order)
        if known is None:
            raise ProblemError(Problem.NOT_FOUND, NO_ORDER)
        customer, body = known.customer.hex(), body_of_hold(order_id, known)
        tag = f"0-{body['status']}"
    if not caller.is_ops and customer != caller.customer.hex():
        raise ProblemError(Problem.NOT_FOUND, NO_ORDER)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    if if_none_match is not None and _is_known(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    return JSONResponse(body, headers=headers)


@router.get("", response_model=OrderList, response_model_exclude_none=True, responses={400: PROBLEM, **READING})
async def list_(
    caller: Caller,
    desk: Desk,
    customer: Annotated[str, Query(max_length=256, description="me; with scope ops: anybody's name")],
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 20,
    cursor: Annotated[str, Query(max_length=128)] = "",
) -> Response:
    """A customer's orders, newest first. One appears with its first event: a hold alone is no order yet."""
    check_ready(desk)
    whose = caller.customer
    if customer not in {ME, caller.name}:
        if not caller.is_ops:
            raise ProblemError(Problem.NO_SCOPE, "you may list your own orders: customer=me")
        whose = customer_hash(desk.keys.customer, customer)
    page = await desk.lookup.list_of(whose, cursor, limit)
    body: dict[str, Any] = {"orders": [body_of(now, history=False) for now in page.orders]}
    if page.cursor:
        body["cursor"] = page.cursor
    return JSONResponse(body, headers={"Cache-Control": "private, no-cache"})


@router.post("/{order_id}/payment", response_model=WishDecided, responses=WISHING)
async def pay(order_id: str, wanted: Payment, caller: Caller, desk: Desk) -> Response:
    """A payment method for an order that has none, or another one after a decline, on the same hold."""
    order = order_of(order_id, desk)
    return await carry_out_for(desk, caller, Method(order, caller.customer, wanted.payment_method))


@router.post("/{order_id}/cancel", response_model=WishDecided, responses=WISHING)
async def cancel(order_id: str, caller: Caller, desk: Desk, idempotency_key: IdempotencyKey = None) -> Response:
    """Let an order go that is not shipped: its units are free again, its money goes back. Repeatable."""
    order = order_of(order_id, desk)
    key = parse_key(idempotency_key.encode("latin-1")) if idempotency_key is not None else ""
    return await carry_out_for(desk, caller, Cancel(order, wish_key(desk, order, "cancel", key), caller.customer))


def _is_known(tags: str, tag: str) -> bool:
    """Whether the client has this version, or a later one that another gateway has seen before us."""
    place = tuple(map(int, tag.split("."))) if "." in tag else (0, 0)
    return f'"{tag}"' in tags or any((int(version), int(step)) >= place for version, step in _TAG.findall(tags))


def check_ready(desk: Service) -> None:
    """ProblemError (503) as long as this gateway may know less than it knew before it was started again."""
    if not desk.ready.is_set():
        raise ProblemError(Problem.UNAVAILABLE, "this gateway has not caught up yet")
