"""The outermost layer: no body is too large or too slow for what is behind it, and every request is counted."""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

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


class Edge:
    """ASGI: reads the whole body (413 over 16 KiB, 408 after 5 s; the connection is closed), then calls `app`.

    503 while too many requests with a body are under way.

    Every response has the request's X-Correlation-Id, or one of its own; it is in the scope as CORRELATION.
    `larger`: paths whose bodies may be larger, and how large. `observe(scope, status, seconds)` is called once a
    request that got a response.
    """

    def __init__(
        self, app: ASGIApp, observe: Callable[[Scope, int, float], None], larger: Mapping[str, int] | None = None
    ) -> None:
        self._app = app
        self._observe = observe
        self._larger = larger or {}
        self._under_way = 0

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
                self._observe(scope, status, time.perf_counter() - started)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._under_way >= UNDER_WAY_MAX:
            message = "too many requests are under way; nothing was appended"
            await respond(ProblemError(Problem.UNAVAILABLE, message, headers=_CLOSE))(scope, receive, send)
            return
        self._under_way += 1
        try:
            try:
                body = await _read(scope, receive, self._larger.get(scope["path"], BODY_BYTES_MAX))
            except ProblemError as error:
                await respond(error)(scope, receive, send)
                return
            if body is not None:  # else the client is gone
                await self._app(scope, _replay(body, receive), send)
        finally:
            self._under_way -= 1


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


def _too_large(bytes_max: int) -> ProblemError:
    return ProblemError(Problem.TOO_LARGE, f"a body has at most {bytes_max} bytes here", headers=_CLOSE)


def _replay(body: bytes, receive: Receive) -> Receive:
    first: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again
