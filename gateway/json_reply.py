"""A JSON document as the answer to a purchase."""

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class JsonReply(Response):
    """The same bytes as Starlette's response, at a fifth of its cost: nothing is asked that is known here.

    `headers`: names in lower case, without content-length and content-type.
    """

    def __init__(self, body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [
            *headers,
            (b"content-length", b"%d" % len(body)),
            (b"content-type", b"application/json"),
        ]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})

    def packet(self, status_line: bytes, more: list[tuple[bytes, bytes]]) -> bytes:
        """All of it, as HTTP/1.1; `more`: further headers. No header is checked."""
        headers = [b"%b: %b\r\n" % header for header in (*more, *self.raw_headers)]
        return b"".join((status_line, *headers, b"\r\n", self.body))
