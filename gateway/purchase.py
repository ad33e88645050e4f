"""POST /v1/orders: the hot path. A plain ASGI endpoint with msgspec; openapi.py documents it."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from domain.ids import FINGERPRINT_BYTES, hold_id, order_id, order_text
from domain.outcomes import Outcome
from domain.stock import Reserve
from gateway.json_reply import JsonReply
from gateway.parsing import Line, NewOrder, parse_key, parse_order_body, parse_wait
from gateway.placing import place
from gateway.problems import InvalidRequestError, Problem, ProblemError, respond, respond_decided
from gateway.service import Service
from gateway.times import rfc3339
from gateway.view import NOT_REMEMBERED, Answer
from gateway.waiting import ACK_S_MAX, appended_header
from streams.carried import Carried, encode_carried

HandleBug = Callable[[Request, Exception], Awaitable[Response]]
_encode = msgspec.json.Encoder().encode
SHIPPING_BYTES_MAX = 768
"""Of an address as JSON: sealed, and with the payment method, it fits into a hold's KiB."""


class Purchase:
    """The endpoint. `handle_bug` makes the response to any other exception than a ProblemError."""

    def __init__(self, service: Service, handle_bug: HandleBug) -> None:
        self._service = service
        self._handle_bug = handle_bug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._buy(scope, receive)
        except ProblemError as error:
            response = respond(error)
        except Exception as error:  # as Starlette's middleware does it, without a layer around every request
            response = await self._handle_bug(Request(scope), error)
            await response(scope, receive, send)
            raise
        await response(scope, receive, send)

    async def _buy(self, scope: Scope, receive: Receive) -> Response:
        service = self._service
        authorization, key, prefer = _headers(scope)
        identity = service.auth.identify(authorization)
        service.check_rate(identity.name)
        idempotency_key = parse_key(key)
        wanted = parse_order_body((await receive())["body"])
        lines = wanted.items
        partition = service.partition_of(lines[0].sku)
        order = order_id(service.keys.customer, identity.name, idempotency_key, partition)
        for line in lines:
            service.check_customer_key(line.sku)
            service.check_backlog(service.customers, service.partition_of(line.sku))
        if service.view.other_home(order, service.logtime.now_ms(partition)) or service.tail.other_home(order):
            raise ProblemError(Problem.KEY_REUSED, extra={"outcome": Outcome.KEY_REUSED.label})
        address = b"" if wanted.shipping is None else _address(wanted.shipping)
        fingerprint = _fingerprint(service.keys.customer, wanted, address)
        shipping = await service.seal(identity.customer, order, address) if address else b""
        wait_s = parse_wait(prefer) if prefer else 0
        if len(lines) > 1:
            _check_currency(service, lines)
            return await place(service, identity.customer, order, wanted, (fingerprint, shipping), wait_s)
        line = lines[0]
        command = Reserve(
            hold_id(order),
            line.sku,
            identity.customer,
            line.quantity,
            service.logtime.not_after_ms(partition),
            fingerprint,
            -1 if line.max_price is None else line.max_price,
            encode_carried(Carried(wanted.payment_method or "", shipping)),
        )
        return await self._reserve(partition, order, command, wait_s)

    async def _reserve(self, partition: int, order: bytes, command: Reserve, wait_s: int) -> Response:
        """One line: its hold is asked for at once, and an order is born of the grant."""
        service = self._service
        seat = service.submit(service.customers, partition, command)
        service.view.ask(order, command.customer)
        text = order_text(order)
        location = f"/v1/orders/{text}"
        answer = None
        if wait_s:
            service.metrics.waiting += 1
            try:
                answer = await service.patience.decided(seat, wait_s)
            finally:
                service.metrics.waiting -= 1
        if answer is None:
            await service.patience.acked(seat, ACK_S_MAX - wait_s, location)
        headers = appended_header(seat)
        headers["Location"] = location
        if wait_s:
            headers["Preference-Applied"] = f"wait={wait_s}"
        if answer is None:
            return JsonReply(_encode({"order_id": text, "status": "CREATED"}), 202, headers)
        return _respond(text, answer, headers)


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
    return JsonReply(_encode(body), 201, headers)


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


def _address(shipping: msgspec.Struct) -> bytes:
    address = _encode(shipping)
    if len(address) > SHIPPING_BYTES_MAX:
        message = f"{len(address)} bytes in all; at most {SHIPPING_BYTES_MAX}"
        raise InvalidRequestError(("$.shipping", message))
    return address


def _fingerprint(key: bytes, wanted: NewOrder, address: bytes) -> bytes:
    """What must be equal in a repeat: everything. Keyed, so that nobody can try addresses until one fits."""
    line, *more = wanted.items
    text = f"{line.sku}\n{line.quantity}\n{line.max_price}\n{wanted.partial}\n{wanted.payment_method}\n"
    for line in more:  # seldom: one line has to be quick
        text += f"{line.sku}\n{line.quantity}\n{line.max_price}\n"
    content = text.encode() + address
    return hashlib.blake2b(content, digest_size=FINGERPRINT_BYTES, key=key).digest()


def _check_currency(service: Service, lines: list[Line]) -> None:
    """As far as the view knows: a SKU that it does not know is refused by its owner."""
    pools = [service.view.pools.get(line.sku) for line in lines]
    currencies = sorted({pool.currency for pool in pools if pool is not None})
    if len(currencies) > 1:
        message = f"an order has one currency, these SKUs have {', '.join(currencies)}"
        raise InvalidRequestError(("$.items", message))
