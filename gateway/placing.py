"""Orders of several lines: placed as a whole, then reserved partition by partition by the order's owner."""

import asyncio
import contextlib
from typing import Any

import msgspec
from starlette.responses import Response

from domain.ids import order_text
from domain.orders import Phase, Place, PlacedLine, Public
from domain.outcomes import Outcome
from gateway.order_body import reserved_body
from gateway.order_now import OrderNow
from gateway.parsing import Line, NewOrder
from gateway.problems import respond_decided
from gateway.service import Service
from gateway.waiting import ACK_S_MAX, appended_header
from streams.seats import Seat

_encode = msgspec.json.Encoder().encode
_JSON = "application/json"
_OUTCOMES = {outcome.label: outcome for outcome in Outcome}
_ENDS = {Phase.EXPIRED: Outcome.EXPIRED, Phase.CANCELLED: Outcome.GONE, Phase.REJECTED: Outcome.GONE}


async def place(
    service: Service, customer: bytes, order: bytes, wanted: NewOrder, content: tuple[bytes, bytes], wait_s: int
) -> Response:
    """Append the order; with `wait_s`, answer when it is reserved or refused. `content` = fingerprint, sealed address.

    ProblemError as of Service.check_backlog and submit, and 503 or 504 when not even the ack came in time.
    """
    text, home = order_text(order), service.home(order)
    service.check_backlog(service.order_customers, home)
    fingerprint, shipping = content
    command = Place(
        order,
        customer,
        fingerprint,
        wanted.partial,
        service.order_time.not_after_ms(home),
        tuple(_line(service, number, line) for number, line in enumerate(wanted.items, 1)),
        wanted.payment_method or "",
        shipping,
    )
    changed = asyncio.Event()
    with service.tail.listening(text, lambda _: changed.set()):
        seat = service.submit(service.order_customers, home, command)
        service.view.ask(order, customer)
        fate = None
        if wait_s:
            service.metrics.waiting += 1
            try:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        fate = await _fate(service, order, seat, changed)
            finally:
                service.metrics.waiting -= 1
    headers = {"Location": f"/v1/orders/{text}"}
    if wait_s:
        headers["Preference-Applied"] = f"wait={wait_s}"
    if fate is None:
        await service.patience.acked(seat, ACK_S_MAX - wait_s, headers["Location"])
    headers |= appended_header(seat)
    if fate is None:
        return Response(_encode({"order_id": text, "status": Public.CREATED}), 202, headers, _JSON)
    outcome, repeated, now = fate
    if repeated:
        headers["Idempotent-Replayed"] = "true"
    return _respond(text, outcome, now, headers)


async def _fate(
    service: Service, order: bytes, seat: Seat[Any], changed: asyncio.Event
) -> tuple[Outcome, bool, OrderNow | None] | None:
    """What became of it: placed and reserved, or why not. None if even its own decision did not come in time."""
    answer = await service.patience.decided(seat, ACK_S_MAX)
    if answer is None:
        return None
    if answer.outcome != Outcome.PLACED:
        return Outcome(answer.outcome), answer.repeated, None
    while True:
        changed.clear()
        now = await service.lookup.find(order)
        outcome = None if now is None else _outcome(now)
        if outcome is not None:
            return outcome, answer.repeated, now
        await changed.wait()


def _outcome(now: OrderNow) -> Outcome | None:
    """GRANTED once it is reserved, why it is not, None as long as that is open."""
    if now.reached(Public.RESERVED):
        return Outcome.GRANTED if now.is_told else None
    end = (now.goal or (now.state if now.is_final else "")).lower()
    return _OUTCOMES.get(now.reason, _ENDS.get(Phase(end), Outcome.GONE)) if end else None


def _respond(text: str, outcome: Outcome, now: OrderNow | None, headers: dict[str, str]) -> Response:
    if now is None:
        return respond_decided(outcome, {"order_id": text}, headers)
    if outcome == Outcome.GRANTED:
        return Response(_encode(reserved_body(now)), 201, headers, _JSON)
    lines = [{"sku": line.sku, "outcome": line.reason} for _, line in sorted(now.lines.items()) if line.reason]
    return respond_decided(outcome, {"order_id": text, "receipt": now.receipt, "lines": lines}, headers)


def _line(service: Service, number: int, line: Line) -> PlacedLine:
    price = -1 if line.max_price is None else line.max_price
    return PlacedLine(number, line.sku, service.partition_of(line.sku), line.quantity, price)
