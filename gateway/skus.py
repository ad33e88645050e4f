"""SKUs: what is sold, under which policy, how much of it is left."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse, Response

from domain.outcomes import Outcome
from domain.pool import Phase
from domain.shapes import SKU_MAX
from domain.stock import Adjust, Close, Open, SetPolicy
from gateway.callers import Caller, Desk, Operator
from gateway.pools import PoolView
from gateway.problems import InvalidRequestError, Problem, ProblemError, respond_decided
from gateway.schemas import (
    SKU_PATTERN,
    Accepted,
    Adjusted,
    Adjustment,
    NewSku,
    ProblemBody,
    SkuCounters,
    SkuPolicy,
    SkuState,
)
from gateway.service import Service
from gateway.times import rfc3339
from gateway.view import Answer
from gateway.waiting import appended_header
from streams.seats import Seat
from streams.stock_records import StockCommand

router = APIRouter(prefix="/v1/skus", tags=["skus"])

INITIAL = "initial"
"""The reference of the first units: creating a SKU again does not receive them again."""
_PHASES = {Phase.NOT_OPEN: "not-open", Phase.OPEN: "open", Phase.CLOSED: "closed"}
_PROBLEM: dict[str, Any] = {"model": ProblemBody}
_READING: dict[int | str, dict[str, Any]] = dict.fromkeys((400, 401, 404, 429, 503), _PROBLEM)
_CHANGING: dict[int | str, dict[str, Any]] = {
    202: {"model": Accepted, "description": "In the log; not decided in 5 s"},
    **dict.fromkeys((400, 401, 403, 404, 409, 429, 503, 504), _PROBLEM),
}

Name = Annotated[str, Path(pattern=SKU_PATTERN, max_length=SKU_MAX)]


@router.get("/{sku}", response_model=SkuState | SkuCounters, responses=_READING)
async def show(sku: Name, caller: Caller, desk: Desk) -> Response:
    """Price, policy and a bucket; exact counters with scope ops. As this gateway sees it: `as_of` says how old."""
    if not desk.ready.is_set():
        raise ProblemError(Problem.UNAVAILABLE, "this gateway has not caught up yet")
    pool = _pool(desk, sku)
    return JSONResponse(_counters(pool) if caller.is_ops else _state(pool))


@router.post("", status_code=201, response_model=SkuCounters, responses={200: {"model": SkuCounters}, **_CHANGING})
async def create(new: NewSku, _: Operator, desk: Desk) -> Response:
    """Make a SKU, not open yet, with its first units. Again with the same values: 200; with others: 409."""
    policy = SetPolicy(
        new.sku,
        0,
        new.price,
        new.currency,
        new.limit_per_customer,
        new.hold_seconds * 1000,
        desk.keys.customer_id,
    )
    seat, answer = await _decide(desk, policy)
    if answer is None:
        return _accepted(new.sku, seat)
    exists = answer.outcome == Outcome.CONFLICT
    if not exists and answer.outcome != Outcome.POLICY_SET:
        return respond_decided(answer.outcome, {"sku": new.sku}, appended_header(seat))
    if exists and not _has_policy(_pool(desk, new.sku), policy):
        raise ProblemError(Problem.CONFLICT, "this SKU exists with other values: PATCH changes them")
    if new.units:
        seat, answer = await _decide(desk, Adjust(new.sku, new.units, INITIAL, "created"))
        if answer is None:
            return _accepted(new.sku, seat)
        if answer.outcome == Outcome.KEY_REUSED:
            raise ProblemError(Problem.CONFLICT, "this SKU exists with other units: adjustments change them")
        if answer.outcome != Outcome.ADJUSTED:
            return respond_decided(answer.outcome, {"sku": new.sku}, appended_header(seat))
    headers = {"Location": f"/v1/skus/{new.sku}", **appended_header(seat)}
    return JSONResponse(_counters(_pool(desk, new.sku)), 200 if exists else 201, headers)


@router.patch("/{sku}", response_model=SkuCounters, responses=_CHANGING)
async def change(sku: Name, wanted: SkuPolicy, _: Operator, desk: Desk) -> Response:
    """Change the policy. What is held or sold keeps the terms that it was granted under."""
    pool = _pool(desk, sku)
    command = SetPolicy(
        sku,
        pool.version if wanted.version is None else wanted.version,
        pool.price if wanted.price is None else wanted.price,
        pool.currency if wanted.currency is None else wanted.currency,
        pool.limit if wanted.limit_per_customer is None else wanted.limit_per_customer,
        pool.hold_ms if wanted.hold_seconds is None else wanted.hold_seconds * 1000,
        desk.keys.customer_id,
    )
    return await _turn(desk, command, Outcome.POLICY_SET)


@router.post("/{sku}/adjustments", response_model=Adjusted, responses={**_CHANGING, 422: _PROBLEM})
async def adjust(sku: Name, wanted: Adjustment, _: Operator, desk: Desk) -> Response:
    """Receive units, or take available ones away. Again with the same reference: the first answer, no change."""
    if not wanted.delta:
        raise InvalidRequestError(("$.delta", "must not be 0"))
    seat, answer = await _decide(desk, Adjust(sku, wanted.delta, wanted.reference, wanted.reason))
    if answer is None:
        return _accepted(sku, seat)
    if answer.outcome != Outcome.ADJUSTED:
        return respond_decided(answer.outcome, {"sku": sku, "reference": wanted.reference}, appended_header(seat))
    body = {"reference": wanted.reference, "outcome": Outcome.ADJUSTED.label, "sku": _counters(_pool(desk, sku))}
    return JSONResponse(body, 200, appended_header(seat))


@router.post("/{sku}/open", response_model=SkuCounters, responses=_CHANGING)
async def open_(sku: Name, _: Operator, desk: Desk) -> Response:
    """Start selling. Repeatable."""
    return await _turn(desk, Open(sku, _pool(desk, sku).version), Outcome.OPENED)


@router.post("/{sku}/close", response_model=SkuCounters, responses=_CHANGING)
async def close(sku: Name, _: Operator, desk: Desk) -> Response:
    """Stop selling; holds stay what they are. Repeatable."""
    return await _turn(desk, Close(sku, _pool(desk, sku).version), Outcome.SHUT)


async def _turn(desk: Service, command: SetPolicy | Open | Close, success: Outcome) -> Response:
    seat, answer = await _decide(desk, command)
    if answer is None:
        return _accepted(command.sku, seat)
    if answer.outcome != success:
        return respond_decided(answer.outcome, {"sku": command.sku}, appended_header(seat))
    return JSONResponse(_counters(_pool(desk, command.sku)), 200, appended_header(seat))


async def _decide(
    desk: Service, command: SetPolicy | Adjust | Open | Close
) -> tuple[Seat[StockCommand], Answer | None]:
    return await desk.decide(desk.operators, desk.partition_of(command.sku), command)


def _accepted(sku: str, seat: Seat[StockCommand]) -> Response:
    return JSONResponse({"sku": sku, "status": "accepted"}, 202, appended_header(seat))


def _pool(desk: Service, sku: str) -> PoolView:
    pool = desk.view.pools.get(sku)
    if pool is None:
        raise ProblemError(Problem.UNKNOWN_SKU)
    return pool


def _has_policy(pool: PoolView, wanted: SetPolicy) -> bool:
    _, _, *values = wanted
    return values == [pool.price, pool.currency, pool.limit, pool.hold_ms, pool.customer_key]


def _state(pool: PoolView) -> dict[str, object]:
    return {
        "sku": pool.sku,
        "status": _PHASES[Phase(pool.phase)],
        "price": pool.price,
        "currency": pool.currency,
        "limit_per_customer": pool.limit,
        "hold_seconds": pool.hold_ms // 1000,
        "availability": pool.availability,
        "as_of": rfc3339(pool.as_of_ms),
    }


def _counters(pool: PoolView) -> dict[str, object]:
    return {
        **_state(pool),
        "version": pool.version,
        "received": pool.received,
        "available": pool.available,
        "held": pool.held,
        "sold": pool.sold,
        "written_off": pool.written_off,
    }
