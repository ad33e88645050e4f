"""uvicorn's protocol, which asks a hot endpoint itself as soon as a request's body is there."""

import asyncio
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.edge import Edge
from gateway.joining import JoiningTransport
from gateway.json_reply import JsonReply


class Protocol(HttpToolsProtocol):
    """Over a transport that joins. Connections, parsing and order are uvicorn's in either case."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(JoiningTransport(transport))  # type: ignore[arg-type] # as far as it is used

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # uvicorn's types and Starlette's are not the same
        """Called with a request's head; the body mostly comes in the same turn of the loop."""
        if isinstance(app, Edge) and app.is_hot(cycle.scope):
            self.loop.call_soon(self._ask, cycle, app)
        else:
            super()._start_asgi_task(cycle, app)

    def _ask(self, cycle: Any, edge: Any) -> None:
        if cycle.more_body or cycle.waiting_for_100_continue:
            super()._start_asgi_task(cycle, edge)
        elif not cycle.disconnected:
            edge.answer(cycle.scope, bytes(cycle.body), partial(self._reply, cycle))

    def _reply(self, cycle: Any, response: Any) -> None:
        """Plain replies in one piece; uvicorn checks and writes all others, and whatever waits or closes."""
        if not isinstance(response, JsonReply) or not cycle.keep_alive or self.flow.write_paused:
            super()._start_asgi_task(cycle, response)
        elif not cycle.disconnected:
            cycle.response_complete = True
            self.transport.write(response.packet(STATUS_LINE[response.status_code], cycle.default_headers))
            cycle.on_response()
