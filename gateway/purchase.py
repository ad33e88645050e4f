"""POST /v1/orders: the hot path. A plain ASGI endpoint with msgspec; openapi.py documents it."""

import hashlib
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from domain.ids import FINGERPRINT_BYTES, Receipt, hold_id, order_id, order_text
from domain.outcomes import Outcome
from domain.stock import Reserve
from gateway.parsing import Line, parse_key, parse_order_body, parse_wait
from gateway.problems import Problem, ProblemError, respond, respond_decided
from gateway.service import Service
from gateway.times import rfc3339
from gateway.view import NOT_REMEMBERED, Answer
from gateway.waiting import ACK_S_MAX, acked, decided
from streams.batcher import Seat
from streams.stock_records import StockCommand

_encode = msgspec.json.Encoder().encode
_JSON = "application/json"


class Purchase:
    """The endpoint."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._buy(scope, receive)
        except ProblemError as error:
            response = respond(error)
        await response(scope, receive, send)

    async def _buy(self, scope: Scope, receive: Receive) -> Response:
        service = self._service
        authorization, key, prefer = _headers(scope)
        identity = service.auth.identify(authorization)
        service.check_rate(identity.name)
        idempotency_key = parse_key(key)
        line = parse_order_body((await receive())["body"])
        partition = service.partition_of(line.sku)
        order = order_id(service.keys.customer, identity.name, idempotency_key, partition)
        service.check_customer_key(line.sku)
        if service.view.other_home(order, service.logtime.now_ms(partition)):
            raise ProblemError(Problem.KEY_REUSED, extra={"outcome": Outcome.KEY_REUSED.label})
        command = Reserve(
            hold_id(order),
            line.sku,
            identity.customer,
            line.quantity,
            service.logtime.not_after_ms(partition),
            _fingerprint(line),
            -1 if line.max_price is None else line.max_price,
        )
        seat = service.submit(service.customers, partition, command)
        service.view.ask(order, identity.customer)
        text = order_text(order)
        location = f"/v1/orders/{text}"
        wait_s = parse_wait(prefer) if prefer else 0
        answer = None
        if wait_s:
            with service.metrics.waiting.track_inprogress():
                answer = await decided(seat, wait_s)
        if answer is None:
            await acked(seat, ACK_S_MAX - wait_s, location)
        headers = appended_header(seat)
        headers["Location"] = location
        if wait_s:
            headers["Preference-Applied"] = f"wait={wait_s}"
        if answer is None:
            return Response(_encode({"order_id": text, "status": "CREATED"}), 202, headers, _JSON)
        return _respond(text, answer, headers)


def appended_header(seat: Seat[StockCommand]) -> dict[str, str]:
    """Where this command went; nothing if the producer had sent it twice, so that the ack could not tell."""
    batch = seat.batch
    if batch is None or batch.offset < 0:
        return {}
    return {"Turnstile-Appended": str(Receipt(batch.partition, batch.offset, seat.index))}


def _respond(order: str, answer: Answer, headers: dict[str, str]) -> Response:
    """The body follows from the first decision alone."""
    if answer.repeated:
        headers["Idempotent-Replayed"] = "true"
    grant = answer.grant
    if grant is None:
        extra: dict[str, Any] = {"order_id": order}
        if answer.outcome not in NOT_REMEMBERED:
            extra["receipt"] = str(answer.receipt)
        return respond_decided(answer.outcome, extra, headers)
    body = {
        "order_id": order,
        "status": "RESERVED",
        "receipt": str(answer.receipt),
        "sku": grant.sku,
        "quantity": grant.quantity,
        "unit_price": grant.unit_price,
        "currency": grant.currency,
        "expires_at": rfc3339(grant.deadline_ms),
    }
    return Response(_encode(body), 201, headers, _JSON)


def _headers(scope: Scope) -> tuple[str | None, bytes | None, str | None]:
    """Authorization, Idempotency-Key, Prefer; given twice, the last counts (of Prefer: all, RFC 7240)."""
    authorization = key = prefer = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value.decode("latin-1")
        elif name == b"idempotency-key":
            key = value
        elif name == b"prefer":
            text = value.decode("latin-1")
            prefer = text if prefer is None else f"{prefer}, {text}"
    return authorization, key, prefer


def _fingerprint(line: Line) -> bytes:
    """What must be equal in a repeat."""
    content = f"{line.sku}\n{line.quantity}\n{line.max_price}".encode()
    return hashlib.blake2b(content, digest_size=FINGERPRINT_BYTES).digest()
