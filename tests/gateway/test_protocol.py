"""A hot endpoint behind the server: asked without a task where the body is there, and answered as any other."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.responses import PlainTextResponse, Response

from gateway import edge
from gateway.edge import Edge
from gateway.json_reply import JsonReply
from gateway.server import Server
from tests.integration.harness import eventually

HEAD = b"POST /hot HTTP/1.1\r\nHost: a\r\n"


@pytest.fixture(autouse=True, params=[JsonReply, Response])
def _kind(request, monkeypatch):
    """What it is answered with: all that is here is true of both."""
    monkeypatch.setattr(Kitchen, "kind", request.param)
    monkeypatch.setattr(Kitchen, "headers", [] if request.param is JsonReply else {})


async def _cold(scope, receive, send):
    await PlainTextResponse("cold")(scope, receive, send)


class Kitchen:
    """The endpoint. What it is asked waits in `orders` until `serve`; `tasks`: what asked it, None = no task."""

    kind: type[Response] = JsonReply
    headers: Any = ()

    def __init__(self) -> None:
        self.orders: asyncio.Queue = asyncio.Queue()
        self.tasks: list[asyncio.Task | None] = []
        self.observed: list[tuple[str, int]] = []
        self.edge = Edge(_cold, lambda route, status, _: self.observed.append((route, status)), None, self.hot)

    @property
    def hot(self):
        return {("POST", "/hot"): self.ask}

    def ask(self, scope, body, reply) -> None:
        self.tasks.append(asyncio.current_task())
        self.orders.put_nowait((body, reply))

    async def serve(self, status: int = 202) -> None:
        body, reply = await self.orders.get()
        reply(self.kind(b"<%b>" % body, status, self.headers))


class Guest:
    """A connection, byte by byte."""

    def __init__(self, reader, writer) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, body: bytes, *more: bytes, head: bytes = HEAD) -> None:
        lines = b"".join(b"%b\r\n" % line for line in more)
        self.writer.write(b"%bContent-Length: %d\r\n%b\r\n%b" % (head, len(body), lines, body))

    async def take(self) -> tuple[bytes, bytes]:
        """Head and body of a response."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return head, await self.reader.readexactly(int(length.split(b":")[1]))


@asynccontextmanager
async def opened(kitchen: Kitchen):
    server = Server(kitchen.edge, "127.0.0.1", 0, lambda: None)
    serving = asyncio.create_task(server.serve())
    await server.listening.wait()
    reader, writer = await asyncio.open_connection(*server.address().removeprefix("http://").split(":"))
    try:
        async with asyncio.timeout(10):
            yield Guest(reader, writer), server, serving
    finally:
        writer.close()
        server.stop()
        await serving


async def test_a_body_that_is_there_is_answered_without_a_task():
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, _, _):
        for number in range(3):
            guest.send(b"%d" % number, b"X-Correlation-Id: id-%d" % number)
            await kitchen.serve()
            head, body = await guest.take()
            assert (head[:12], body) == (b"HTTP/1.1 202", b"<%d>" % number)
            assert b"\r\nx-correlation-id: id-%d\r\n" % number in head
            assert b"\r\ndate: " in head
    assert kitchen.tasks == [None] * 3
    assert kitchen.observed == [("/hot", 202)] * 3


async def test_a_body_in_pieces_is_answered_alike():
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, server, _):
        guest.writer.write(HEAD + b"Content-Length: 4\r\nX-Correlation-Id: a\r\n\r\nab")
        await eventually(lambda: server.server_state.tasks, what="a task that waits for the rest")
        guest.writer.write(b"cd")
        await kitchen.serve()
        head, body = await guest.take()
    assert (body, kitchen.observed) == (b"<abcd>", [("/hot", 202)])
    assert b"\r\nx-correlation-id: a\r\n" in head
    assert kitchen.tasks != [None]


async def test_who_asks_before_sending_a_body_is_told_to_go_on():
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, _, _):
        guest.writer.write(HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert await guest.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        guest.writer.write(b"ab")
        await kitchen.serve()
        assert (await guest.take())[1] == b"<ab>"


async def test_requests_of_one_packet_are_answered_in_order():
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, _, _):
        for body in (b"a", b"b", b"c"):
            guest.send(body)
        guest.send(b"", head=b"POST /cold HTTP/1.1\r\nHost: a\r\n")
        for body in (b"a", b"b", b"c"):
            await kitchen.serve()
            assert (await guest.take())[1] == b"<%b>" % body
        assert (await guest.take())[1] == b"cold"


async def test_who_wants_the_connection_closed_gets_that():
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, _, _):
        guest.send(b"a", b"Connection: close")
        await kitchen.serve()
        head, body = await guest.take()
        assert (body, b"connection: close" in head) == (b"<a>", True)
        assert await guest.reader.read() == b""


async def test_too_large_a_body_is_refused_and_the_connection_closed(monkeypatch):
    monkeypatch.setattr(edge, "BODY_BYTES_MAX", 3)
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, _, _):
        guest.send(b"four")
        head, body = await guest.take()
        assert (head[:12], b"too-large" in body, await guest.reader.read()) == (b"HTTP/1.1 413", True, b"")
    assert (kitchen.tasks, kitchen.observed) == ([], [("/hot", 413)])


async def test_beyond_so_many_at_once_the_next_is_told_to_come_again(monkeypatch):
    monkeypatch.setattr(edge, "UNDER_WAY_MAX", 1)
    kitchen = Kitchen()
    replies = []
    scopes = [{"type": "http", "method": "POST", "path": "/hot", "headers": []} for _ in range(3)]
    kitchen.edge.answer(scopes[0], b"a", replies.append)
    kitchen.edge.answer(scopes[1], b"b", replies.append)
    await kitchen.serve()
    kitchen.edge.answer(scopes[2], b"c", replies.append)
    await kitchen.serve()
    assert [reply.status_code for reply in replies] == [503, 202, 202]


async def test_who_left_does_not_count_as_under_way_for_ever():
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, server, _):
        guest.send(b"a")
        order = await kitchen.orders.get()
        guest.writer.close()
        await eventually(lambda: not server.server_state.connections, what="no connection")
        kitchen.orders.put_nowait(order)
        await kitchen.serve()
    assert kitchen.edge._under_way == 0


async def test_who_reads_slowly_gets_everything():
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, server, _):
        (protocol,) = server.server_state.connections
        guest.send(b"a")
        order = await kitchen.orders.get()
        protocol.pause_writing()
        kitchen.orders.put_nowait(order)
        await kitchen.serve()
        (writing,) = await eventually(lambda: server.server_state.tasks, what="a task that waits to write")
        assert not writing.done()
        protocol.resume_writing()
        assert (await guest.take())[1] == b"<a>"


async def test_what_is_under_way_is_answered_before_the_server_ends():
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, server, serving):
        guest.send(b"a")
        order = await kitchen.orders.get()
        server.stop()
        await eventually(lambda: not any(one.is_serving() for one in server.servers), what="no new connections")
        assert not serving.done()
        kitchen.orders.put_nowait(order)
        await kitchen.serve()
        head, body = await guest.take()
        assert (body, b"connection: close" in head) == (b"<a>", True)
        await serving


async def test_a_bug_after_the_reply_is_logged_and_the_connection_goes_on(caplog):
    kitchen = Kitchen()

    def broken(_, body, reply) -> None:
        reply(Response(body, 500))
        raise ValueError(body)

    kitchen.edge._hot[("POST", "/hot")] = broken
    async with opened(kitchen) as (guest, _, _):
        for body in (b"a", b"b"):
            guest.send(body)
            head, told = await guest.take()
            assert (head[:12], told) == (b"HTTP/1.1 500", body)
    assert [record.exc_info[0] for record in caplog.records] == [ValueError, ValueError]


@pytest.mark.parametrize("path", [b"/hot", b"/cold"])
async def test_other_methods_and_paths_go_their_way(path):
    kitchen = Kitchen()
    async with opened(kitchen) as (guest, _, _):
        guest.send(b"", head=b"PUT %b HTTP/1.1\r\nHost: a\r\n" % path)
        assert (await guest.take())[1] == b"cold"
    assert kitchen.tasks == []
