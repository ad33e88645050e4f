"""Orders after the purchase: look, cancel, commit."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from domain.ids import hold_id, order_text, parse_order
from domain.outcomes import Outcome
from domain.reservation import RowState
from domain.stock import Commit, Release
from gateway.callers import Caller, Desk, Operator
from gateway.problems import Problem, ProblemError, respond_decided
from gateway.purchase import appended_header
from gateway.schemas import OrderState, ProblemBody
from gateway.service import Service
from gateway.times import rfc3339
from gateway.view import Known, Order, Rejected
from streams.batcher import Batcher
from streams.stock_records import StockCommand

router = APIRouter(prefix="/v1/orders", tags=["orders"])

_STATUS = {
    RowState.HELD: "RESERVED",
    RowState.SOLD: "SOLD",
    RowState.EXPIRED: "EXPIRED",
    RowState.RELEASED: "CANCELLED",
    RowState.RETURNED: "RETURNED",
}
_NO_ORDER = "no such order, or none of yours, or its end is more than 15 minutes ago"
_PROBLEM: dict[str, Any] = {"model": ProblemBody}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    202: {"model": OrderState, "description": "In the log; not decided in 5 s"},
    401: _PROBLEM,
    404: _PROBLEM,
    429: _PROBLEM,
    503: _PROBLEM,
    504: _PROBLEM,
}


@router.get("/{order_id}", response_model=OrderState, responses={401: _PROBLEM, 404: _PROBLEM, 429: _PROBLEM})
async def show(order_id: str, caller: Caller, desk: Desk) -> Response:
    """What has become of an own order, as this gateway sees it."""
    if not desk.ready.is_set():
        raise ProblemError(Problem.UNAVAILABLE, "this gateway has not caught up yet")
    order = _parse(order_id, desk)
    known = desk.view.find(order)
    if known is None or known.customer != caller.customer:
        raise ProblemError(Problem.NOT_FOUND, _NO_ORDER)
    return JSONResponse(_state(order_id, known))


@router.post("/{order_id}/cancel", response_model=OrderState, responses=_RESPONSES)
async def cancel(order_id: str, caller: Caller, desk: Desk) -> Response:
    """Let an own order go, whatever its state. Repeatable."""
    order = _parse(order_id, desk)
    known = desk.view.find(order)
    if known is not None and known.customer != caller.customer:
        raise ProblemError(Problem.NOT_FOUND, _NO_ORDER)
    command = Release(hold_id(order), caller.customer)
    return await _settle(desk, desk.customers, order, command, (Outcome.RELEASED, "CANCELLED"))


@router.post("/{order_id}/commit", response_model=OrderState, responses={**_RESPONSES, 403: _PROBLEM, 409: _PROBLEM})
async def commit(order_id: str, _: Operator, desk: Desk) -> Response:
    """Sell what an order holds (scope ops, until payments exist). Repeatable."""
    order = _parse(order_id, desk)
    return await _settle(desk, desk.operators, order, Commit(hold_id(order)), (Outcome.COMMITTED, "SOLD"))


def _parse(text: str, desk: Service) -> bytes:
    try:
        order = parse_order(text)
    except ValueError:
        raise ProblemError(Problem.NOT_FOUND, _NO_ORDER) from None
    desk.home(order)
    return order


async def _settle(
    desk: Service,
    batcher: Batcher[StockCommand],
    order: bytes,
    command: Commit | Release,
    success: tuple[Outcome, str],
) -> Response:
    """Send the command to the order's home partition and answer with its decision."""
    text = order_text(order)
    seat, answer = await desk.decide(batcher, desk.home(order), command)
    headers = appended_header(seat)
    if answer is None:
        headers["Location"] = f"/v1/orders/{text}"
        return JSONResponse({"order_id": text, "status": "CREATED"}, 202, headers)
    outcome, status = success
    if answer.outcome == outcome:
        return JSONResponse({"order_id": text, "status": status}, 200, headers)
    return respond_decided(answer.outcome, {"order_id": text}, headers)


def _state(text: str, known: Known) -> dict[str, object]:
    if isinstance(known, Order):
        return {
            "order_id": text,
            "status": _STATUS[RowState(known.state)],
            "receipt": str(known.receipt),
            "sku": known.grant.sku,
            "quantity": known.grant.quantity,
            "unit_price": known.grant.unit_price,
            "currency": known.grant.currency,
            "expires_at": rfc3339(known.deadline_ms),
        }
    if isinstance(known, Rejected):
        outcome = Outcome(known.outcome).label
        return {"order_id": text, "status": "REJECTED", "receipt": str(known.receipt), "outcome": outcome}
    return {"order_id": text, "status": "CREATED"}
