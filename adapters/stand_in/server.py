"""The stand-in over HTTP on loopback: the provider's API below /v1/, the operator's below /_stand_in/.

aiohttp's server and not uvicorn: a connection can be cut without an answer, as a network does.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from adapters.stand_in.book import Book, Fate
from adapters.stand_in.control import Control
from adapters.stand_in.postman import Postman
from adapters.stand_in.wire import request_of
from streams.logs import Log

HOST = "127.0.0.1"
S_MS = 1000
STOP_S = 1.0
TICK_S = 0.05


class Server:
    """Of one book. `start`, then `run` until cancelled, then `stop`."""

    def __init__(self, book: Book, clock_ms: Callable[[], int], log: Log, postman: Postman | None = None) -> None:
        self._book = book
        self._clock_ms = clock_ms
        self._postman = postman
        app = web.Application()
        app.add_routes(
            [web.route("*", "/v1/{path:.*}", self._call), *Control(book, clock_ms, self._wake, log).routes()]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_S)

    async def start(self, port: int) -> str:
        """Listen; the address. OSError if the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        host, bound = self._runner.addresses[0][:2]
        return f"http://{host}:{bound}"

    async def run(self) -> None:
        """Let the book's time pass, and its mail go out."""
        async with asyncio.TaskGroup() as group:
            if self._postman:
                group.create_task(self._postman.run())
            while True:
                if (due_ms := self._book.next_ms()) is not None and due_ms <= self._clock_ms():
                    self._book.advance(self._clock_ms())
                    self._wake()
                await asyncio.sleep(TICK_S)

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode("utf-8", "replace")
        outcome = self._book.receive(
            request_of(request.method, request.path_qs, request.headers, body), self._clock_ms()
        )
        self._wake()
        if outcome.delay_ms:
            await asyncio.sleep(outcome.delay_ms / S_MS)
        if outcome.answer is None or outcome.fate is not Fate.ANSWER:
            return self._cut(request)
        return web.Response(
            status=outcome.answer.status,
            headers=outcome.answer.headers,
            body=outcome.answer.body,
            content_type="application/json",
        )

    def _cut(self, request: web.Request) -> web.StreamResponse:
        transport: Any = request.transport
        if transport is not None:
            transport.abort()
        return web.Response()  # nobody gets it

    def _wake(self) -> None:
        if self._postman:
            self._postman.wake()
