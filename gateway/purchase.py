"""POST /v1/orders: the hot path. Without ASGI, without a task for what is most common; openapi.py documents it."""

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from domain.ids import FINGERPRINT_BYTES, hold_id, order_id, order_text
from domain.outcomes import Outcome
from domain.stock import Reserve
from gateway.edge import Reply
from gateway.json_reply import JsonReply
from gateway.openapi import PURCHASE
from gateway.parsing import Line, NewOrder, parse_key, parse_order_body, parse_wait
from gateway.placing import place
from gateway.problems import InvalidRequestError, Problem, ProblemError, respond, respond_decided
from gateway.service import Service
from gateway.times import rfc3339
from gateway.view import NOT_REMEMBERED, Answer
from gateway.waiting import ACK_S_MAX, appended_header, give_up
from streams.carried import Carried, encode_carried
from streams.seats import Seat

Headers = list[tuple[bytes, bytes]]
OnBug = Callable[[Scope, Exception], Response]
_encode = msgspec.json.Encoder().encode
_ORDERS = f"{PURCHASE}/"
SHIPPING_BYTES_MAX = 768
"""Of an address as JSON: sealed, and with the payment method, it fits into a hold's KiB."""


class _Asked(NamedTuple):
    """A request that may be appended. `wait_s` 0 = without waiting."""

    order: bytes
    partition: int
    customer: bytes
    wanted: NewOrder
    fingerprint: bytes
    wait_s: int


class Purchase:
    """The endpoint. `on_bug` makes the response to any other exception than a ProblemError."""

    def __init__(self, service: Service, on_bug: OnBug) -> None:
        self._service = service
        self._on_bug = on_bug
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, scope: Scope, body: bytes, reply: Reply) -> None:
        """As edge.Hot. Whatever has to wait for more than an ack does so in a task."""
        try:
            asked, address = self._check(scope, body)
            if address or asked.wait_s or len(asked.wanted.items) > 1:
                task = asyncio.create_task(self._finish(scope, asked, address, reply))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                seat = self._submit(asked, b"")
                seat.acked = self._service.patience.future(ACK_S_MAX)
                seat.acked.add_done_callback(partial(_on_acked, seat, order_text(asked.order), reply))
        except ProblemError as error:
            reply(respond(error))
        except Exception as error:
            reply(self._on_bug(scope, error))
            raise

    async def _finish(self, scope: Scope, asked: _Asked, address: bytes, reply: Reply) -> None:
        try:
            response = await self._carry_out(asked, address)
        except ProblemError as error:
            response = respond(error)
        except Exception as error:
            reply(self._on_bug(scope, error))
            raise
        reply(response)

    def _check(self, scope: Scope, body: bytes) -> tuple[_Asked, bytes]:
        """What is asked for, and the address as JSON, not sealed yet. ProblemError if it is not to be appended."""
        service = self._service
        authorization, key, prefer = _headers(scope)
        identity = service.auth.identify(authorization)
        service.check_rate(identity.name)
        idempotency_key = parse_key(key)
        wanted = parse_order_body(body)
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
        wait_s = parse_wait(prefer) if prefer else 0
        return _Asked(order, partition, identity.customer, wanted, fingerprint, wait_s), address

    def _submit(self, asked: _Asked, shipping: bytes) -> Seat[Any]:
        """One line: its hold is asked for at once, and an order is born of the grant."""
        service, line = self._service, asked.wanted.items[0]
        command = Reserve(
            hold_id(asked.order),
            line.sku,
            asked.customer,
            line.quantity,
            service.logtime.not_after_ms(asked.partition),
            asked.fingerprint,
            -1 if line.max_price is None else line.max_price,
            encode_carried(Carried(asked.wanted.payment_method or "", shipping)),
        )
        seat = service.submit(service.customers, asked.partition, command)
        service.view.ask(asked.order, asked.customer)
        return seat

    async def _carry_out(self, asked: _Asked, address: bytes) -> Response:
        service, (order, _, customer, wanted, fingerprint, wait_s) = self._service, asked
        shipping = await service.seal(customer, order, address) if address else b""
        if len(wanted.items) > 1:
            _check_currency(service, wanted.items)
            return await place(service, customer, order, wanted, (fingerprint, shipping), wait_s)
        seat = self._submit(asked, shipping)
        text, answer = order_text(order), None
        if wait_s:
            service.metrics.waiting += 1
            try:
                answer = await service.patience.decided(seat, wait_s)
            finally:
                service.metrics.waiting -= 1
        if answer is None:
            await service.patience.acked(seat, ACK_S_MAX - wait_s, f"{_ORDERS}{text}")
        headers = [(b"preference-applied", b"wait=%d" % wait_s)] if wait_s else []
        if answer is None:
            return _created(seat, text, headers)
        return _respond(seat, text, answer, headers)


def _on_acked(seat: Seat[Any], text: str, reply: Reply, acked: asyncio.Future[bool]) -> None:
    reply(_created(seat, text, []) if acked.result() else respond(give_up(seat, f"{_ORDERS}{text}")))


def _created(seat: Seat[Any], text: str, headers: Headers) -> Response:
    return JsonReply(b'{"order_id":"%b","status":"CREATED"}' % text.encode(), 202, _with_places(seat, text, headers))


def _respond(seat: Seat[Any], text: str, answer: Answer, headers: Headers) -> Response:
    """The body follows from the first decision alone."""
    _with_places(seat, text, headers)
    if answer.repeated:
        headers.append((b"idempotent-replayed", b"true"))
    grant = answer.grant
    if grant is None:
        extra: dict[str, Any] = {"order_id": text}
        if answer.outcome not in NOT_REMEMBERED:
            extra["receipt"] = str(answer.receipt)
        response = respond_decided(answer.outcome, extra)
        response.raw_headers += headers
        return response
    body = {
        "order_id": text,
        "status": "RESERVED",
        "receipt": str(answer.receipt),
        "sku": grant.sku,
        "quantity": grant.quantity,
        "unit_price": grant.unit_price,
        "currency": grant.currency,
        "expires_at": rfc3339(grant.deadline_ms),
    }
    return JsonReply(_encode(body), 201, headers)


def _with_places(seat: Seat[Any], text: str, headers: Headers) -> Headers:
    """Where the order is told of, and where its command stands in the log."""
    headers.append((b"location", f"{_ORDERS}{text}".encode()))
    for name, value in appended_header(seat).items():
        headers.append((name.lower().encode(), value.encode()))
    return headers


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
