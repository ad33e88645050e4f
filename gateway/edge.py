"""The outermost layer: no body is too large or too slow for what is behind it, and every request is counted.

What is asked most does without ASGI, whose task, messages and layers cost as much as a purchase itself: a `Hot`
endpoint is called with the body, and calls its reply with the response. The protocol (gateway/protocol.py) asks it once
the body is there; a request that comes in pieces takes the way of all others.
"""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.problems import Problem, ProblemError, respond

BODY_BYTES_MAX = 16 * 1024
BODY_S_MAX = 5.0
UNDER_WAY_MAX = 10_000
"""Requests with a body at once, at about 20 KiB each with all that waits for them: 200 MiB."""
CORRELATION = "turnstile.correlation"
_HEADER = b"x-correlation-id"
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "TRACE"})
_CLOSE = {"Connection": "close"}

Reply = Callable[[Response], None]
Hot = Callable[[Scope, bytes, Reply], None]
"""Answers a request with this body: calls the reply once, now or later. What it raises after that is a bug to log."""


class Edge:
    """ASGI: reads the whole body (413 over 16 KiB, 408 after 5 s; the connection is closed), then calls `app`.

    503 while too many requests with a body are under way.

    Every response has the request's X-Correlation-Id, or one of its own; it is in the scope as CORRELATION.
    `larger`: paths whose bodies may be larger, and how large. `hot`: endpoints by method and path.
    `observe(route, status, seconds)` is called once a request that got a response.
    """

    def __init__(
        self,
        app: ASGIApp,
        observe: Callable[[str, int, float], None],
        larger: Mapping[str, int] | None = None,
        hot: Mapping[tuple[str, str], Hot] | None = None,
    ) -> None:
        self._app = app
        self._observe = observe
        self._larger = larger or {}
        self._hot = hot or {}
        self._under_way = 0

    def is_hot(self, scope: Scope) -> bool:
        """Whether this request, once its body is there, is one for `answer`."""
        return (scope["method"], scope["path"]) in self._hot

    def answer(self, scope: Scope, body: bytes, reply: Reply) -> None:
        """Have a hot endpoint answer a request whose body is there; as for all others, with limits, and counted."""
        started = time.perf_counter()
        correlation = scope[CORRELATION] = _correlation(scope)
        self._under_way += 1

        def complete(response: Response) -> None:
            self._under_way -= 1
            response.raw_headers.append((_HEADER, correlation))
            reply(response)
            self._observe(scope["path"], response.status_code, time.perf_counter() - started)

        if self._under_way > UNDER_WAY_MAX:
            complete(respond(_too_many()))
        elif len(body) > BODY_BYTES_MAX:
            complete(respond(_too_large(BODY_BYTES_MAX)))
        else:
            self._hot[scope["method"], scope["path"]](scope, body, complete)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0
        correlation = scope[CORRELATION] = _correlation(scope)

        def watch(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_HEADER, correlation)]
            return send(message)

        try:
            if scope["method"] in _BODILESS:
                await self._app(scope, receive, watch)
            else:
                await self._with_body(scope, receive, watch)
        finally:
            if status:
                route = scope["path"] if self.is_hot(scope) else getattr(scope.get("route"), "path", "unmatched")
                self._observe(route, status, time.perf_counter() - started)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._under_way >= UNDER_WAY_MAX:
            await respond(_too_many())(scope, receive, send)
            return
        self._under_way += 1
        try:
            try:
                body = await _read(scope, receive, self._larger.get(scope["path"], BODY_BYTES_MAX))
            except ProblemError as error:
                await respond(error)(scope, receive, send)
                return
            if body is None:  # the client is gone
                return
            if self.is_hot(scope):
                await self._wait(scope, body, receive, send)
            else:
                await self._app(scope, _replay(body, receive), send)
        finally:
            self._under_way -= 1

    async def _wait(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """A hot endpoint as an ASGI application."""
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        try:
            self._hot[scope["method"], scope["path"]](scope, body, lambda response: _set(answered, response))
        finally:
            await (await answered)(scope, receive, send)


def _correlation(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == _HEADER and _ID.fullmatch(value):
            return bytes(value)
    return b"%016x" % random.getrandbits(64)


async def _read(scope: Scope, receive: Receive, bytes_max: int) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or len(value) > 9 or int(value) > bytes_max):  # noqa: PLR2004
            raise _too_large(bytes_max)
    message = _at_hand(receive)  # mostly all of it, and a timeout costs more than all else here
    if message is not None and not message.get("more_body", False):
        return _add(b"", message, bytes_max)
    try:
        async with asyncio.timeout(BODY_S_MAX):
            return await _gather(message, receive, bytes_max)
    except TimeoutError:
        text = f"the body was not complete within {BODY_S_MAX:g} s"
        raise ProblemError(Problem.TIMEOUT, text, headers=_CLOSE) from None


def _at_hand(receive: Receive) -> Message | None:
    """The next message if there is one already. Else `receive` is left where it waits, as if it was cancelled."""
    receiving = receive().__await__()
    try:
        receiving.send(None)
    except StopIteration as done:
        return cast("Message", done.value)
    receiving.close()
    return None


async def _gather(message: Message | None, receive: Receive, bytes_max: int) -> bytes | None:
    body = b""
    while True:
        message = message or await receive()
        more = _add(body, message, bytes_max)
        if more is None or not message.get("more_body", False):
            return more
        body, message = more, None


def _add(body: bytes, message: Message, bytes_max: int) -> bytes | None:
    """None if the client is gone. ProblemError (413)."""
    if message["type"] == "http.disconnect":
        return None
    body += bytes(message.get("body", b""))
    if len(body) > bytes_max:
        raise _too_large(bytes_max)
    return body


def _set(answered: asyncio.Future[Response], response: Response) -> None:
    if not answered.done():  # else nobody waits for it any more
        answered.set_result(response)


def _too_many() -> ProblemError:
    message = "too many requests are under way; nothing was appended"
    return ProblemError(Problem.UNAVAILABLE, message, headers=_CLOSE)


def _too_large(bytes_max: int) -> ProblemError:
    return ProblemError(Problem.TOO_LARGE, f"a body has at most {bytes_max} bytes here", headers=_CLOSE)


def _replay(body: bytes, receive: Receive) -> Receive:
    first: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again
