"""What is written in one turn leaves at once, in order, before the connection closes."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
from starlette.responses import PlainTextResponse, StreamingResponse

from gateway.joining import JoiningTransport
from gateway.server import Server


class Wire:
    """As much of a transport as is used: what was sent, call by call."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def writelines(self, pieces) -> None:
        assert not self.closed
        self.sent.append(b"".join(pieces))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, name):
        return f"the {name}"


async def test_what_is_written_in_a_turn_is_sent_once_and_what_follows_next():
    wire = Wire()
    transport = JoiningTransport(wire)
    for pieces in ([b"a", b"b"], [b"c"]):
        for piece in pieces:
            transport.write(piece)
        await asyncio.sleep(0)
    assert wire.sent == [b"ab", b"c"]


async def test_everything_is_sent_before_it_closes_and_nothing_after():
    wire = Wire()
    transport = JoiningTransport(wire)
    transport.write(b"a")
    transport.close()
    transport.write(b"b")
    await asyncio.sleep(0)
    assert (wire.sent, wire.closed) == ([b"a"], True)


async def test_all_else_is_the_transport_s():
    wire = Wire()
    transport = JoiningTransport(wire)
    assert transport.get_extra_info("socket") == "the socket"
    wire.closed = True
    assert transport.is_closing()


async def _app(scope, receive, send):
    if scope["path"] == "/stream":
        await StreamingResponse(pieces())(scope, receive, send)
    else:
        await PlainTextResponse("whole")(scope, receive, send)


async def pieces():
    yield "one "
    await asyncio.sleep(0)
    yield "two"


@asynccontextmanager
async def served():
    server = Server(_app, "127.0.0.1", 0, lambda: None)
    serving = asyncio.create_task(server.serve())
    await server.listening.wait()
    try:
        yield server.address()
    finally:
        server.stop()
        await serving


async def test_responses_arrive_whole_through_the_server():
    async with served() as url, aiohttp.ClientSession(url) as session:
        for headers in ({}, {"Connection": "close"}):
            for path, text in (("/", "whole"), ("/stream", "one two")):
                async with session.post(path, data=b"x" * 1000, headers=headers, expect100=True) as response:
                    assert (response.status, await response.text()) == (200, text)


async def test_a_small_response_arrives_in_one_read():
    async with served() as url:
        reader, writer = await asyncio.open_connection(*url.removeprefix("http://").split(":"))
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        packet = await reader.read(65_536)
        writer.close()
        await writer.wait_closed()
    assert packet.startswith(b"HTTP/1.1 200 OK")
    assert packet.endswith(b"\r\n\r\nwhole")
