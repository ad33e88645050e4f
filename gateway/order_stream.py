"""GET /v1/orders/{id}/events: the changes of an order's status as they come (Server-Sent Events, HTML 9.2).

The id of an event is its sequence in the order's life: with Last-Event-ID a client goes on where it was, here or at
another gateway. The stream ends after a final status, when the token expires, and when the gateway stops.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header
from fastapi.responses import Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from domain.orders import Public
from domain.reservation import RowState
from gateway.callers import Caller, Desk
from gateway.order_body import body_of_hold, transition_body
from gateway.order_now import FINAL, OrderNow, Transition
from gateway.order_schemas import Step
from gateway.orders import READING, check_ready
from gateway.problems import InvalidRequestError, Problem, ProblemError
from gateway.service import Service
from gateway.view import Order, Pending
from gateway.wishes import NO_ORDER, order_of

router = APIRouter(prefix="/v1/orders", tags=["orders"])

HEARTBEAT_S = 10.0
"""Proxies cut what is silent for 30 to 60 s."""
_SEQUENCE_MAX = 9
_encode = msgspec.json.Encoder().encode
_ENDED = frozenset({RowState.EXPIRED, RowState.RELEASED})


class _Stream(EventSourceResponse):
    """Counted as open for as long as it is sent, whether or not a first event was."""

    def __init__(self, content: AsyncIterator[bytes], counted: AbstractContextManager[None]) -> None:
        super().__init__(content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._counted:
            await super().__call__(scope, receive, send)


@router.get(
    "/{order_id}/events",
    response_class=Response,
    responses={
        200: {"content": {"text/event-stream": {"schema": Step.model_json_schema()}}, "description": "A stream"},
        204: {"description": "Nothing will come after Last-Event-ID"},
        **READING,
    },
)
async def events(
    order_id: str, caller: Caller, desk: Desk, last_event_id: Annotated[str | None, Header()] = None
) -> Response:
    """Follow an own order (with scope ops: any): each change of its status, from the first or Last-Event-ID on."""
    check_ready(desk)
    order = order_of(order_id, desk)
    after = _parse(last_event_id)
    now = await desk.lookup.find(order)
    known = desk.view.find(order)
    customer = now.customer if now else known.customer.hex() if known else None
    if customer is None or not (caller.is_ops or customer == caller.customer.hex()):
        raise ProblemError(Problem.NOT_FOUND, NO_ORDER)
    if now is not None and now.is_final and now.sequence <= after:
        return Response(status_code=204)
    desk.streams.check(caller.customer)
    follower = Follower(desk, order, order_id, after, caller.expires_s)
    return _Stream(follower.run(), desk.streams.opened(caller.customer))


class Follower:
    """One client that follows one order, from behind sequence `after` on, until `until_s` (Unix time) at the latest."""

    def __init__(self, desk: Service, order: bytes, text: str, after: int, until_s: float) -> None:
        self._desk = desk
        self._order = order
        self._text = text
        self._sent = after
        self._until_s = until_s
        self._news: dict[int, Transition] = {}
        self._heard = asyncio.Event()

    async def run(self) -> AsyncIterator[bytes]:
        """The stream, piece by piece."""
        with self._desk.tail.listening(self._text, self._hear):
            try:
                now = await self._desk.lookup.find(self._order)  # after listening: nothing falls between the two
            except ProblemError:  # SQL went away since the request was taken: the client comes again
                return
            self._news.update((one.sequence, one) for one in (now.history if now else ()))
            yield KEEPALIVE_COMMENT
            while True:
                self._heard.clear()
                if not self._news:
                    self._look_at_hold()
                for sequence in sorted(self._news):
                    if sequence > self._sent:
                        self._sent = sequence
                        yield _event(self._news[sequence])
                if self._is_over():
                    return
                if not await self._waited():
                    yield KEEPALIVE_COMMENT

    def _is_over(self) -> bool:
        is_final = self._sent in self._news and self._news[self._sent].to in FINAL
        return is_final or self._desk.streams.stopping.is_set() or time.time() >= self._until_s

    def _hear(self, now: OrderNow) -> None:
        self._news.update((one.sequence, one) for one in now.history[-1:])
        self._heard.set()

    def _look_at_hold(self) -> None:
        """A hold that was refused, or ended before an order was born of it, has no event."""
        known = self._desk.view.find(self._order)
        if known is None or isinstance(known, Pending) or (isinstance(known, Order) and known.state not in _ENDED):
            return
        at_ms = known.changed_ms if isinstance(known, Order) else known.at_ms
        body = body_of_hold(self._text, known)
        status, reason = Public(body["status"]), body.get("reason", "")
        self._news[1] = Transition(1, "", status, at_ms, reason, "", compensating=False, deadline_ms=0)

    async def _waited(self) -> bool:
        """Whether something happened before the next heartbeat is due."""
        heard = asyncio.ensure_future(self._heard.wait())
        stopping = asyncio.ensure_future(self._desk.streams.stopping.wait())
        try:
            done, _ = await asyncio.wait({heard, stopping}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
            return bool(done)
        finally:
            heard.cancel()
            stopping.cancel()


def _event(one: Transition) -> bytes:
    return format_sse_event(data_str=_encode(transition_body(one)).decode(), event="status", id=str(one.sequence))


def _parse(last: str | None) -> int:
    if last is None or not last:
        return 0
    if not (last.isascii() and last.isdigit() and len(last) <= _SEQUENCE_MAX):
        raise InvalidRequestError(("Last-Event-ID", "a number that came as the id of an event"))
    return int(last)
