"""The outermost layer, spoken to in ASGI."""

import asyncio
import json

import pytest

from gateway import edge
from gateway.edge import Edge


class Client:
    """One request: what it sends piece by piece, what comes back."""

    def __init__(self, method="POST", headers=(), pieces=()) -> None:
        self.scope = {"type": "http", "method": method, "path": "/x", "headers": list(headers)}
        self.pieces = list(pieces)
        self.sent: list[dict] = []
        self.seen: bytes | None = None
        self.observed: list[tuple[int, float]] = []

    async def receive(self):
        if not self.pieces:
            await asyncio.Event().wait()
        piece = self.pieces.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}

    async def send(self, message) -> None:
        self.sent.append(message)

    async def app(self, scope, receive, send) -> None:
        if scope["method"] == "POST":
            message = await receive()
            assert not message["more_body"]
            self.seen = message["body"]
        else:
            self.seen = b""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def run(self) -> int | None:
        await Edge(self.app, lambda _, status, seconds: self.observed.append((status, seconds)))(
            self.scope, self.receive, self.send
        )
        assert [status for status, _ in self.observed] == [one["status"] for one in self.sent[:1]]
        return self.sent[0]["status"] if self.sent else None

    @property
    def problem(self) -> str:
        assert (b"connection", b"close") in self.sent[0]["headers"]
        return json.loads(self.sent[1]["body"])["type"].rpartition(":")[2]


async def test_a_body_comes_through_whole():
    client = Client(pieces=[b"ab", b"", b"cd"])
    assert await client.run() == 200
    assert client.seen == b"abcd"


async def test_sixteen_kib_come_through_and_one_byte_more_does_not():
    assert await Client(pieces=[b"x" * edge.BODY_BYTES_MAX]).run() == 200
    client = Client(pieces=[b"x" * edge.BODY_BYTES_MAX, b"x"])
    assert await client.run() == 413
    assert (client.problem, client.seen) == ("too-large", None)


@pytest.mark.parametrize("length", [b"16385", b"9" * 30, b"-1", b"1e3", b""])
async def test_an_announced_size_is_enough_to_refuse(length):
    client = Client(headers=[(b"content-length", length)], pieces=[b"never read"])
    assert await client.run() == 413
    assert client.pieces == [b"never read"]


async def test_a_slow_body_is_given_up(monkeypatch):
    monkeypatch.setattr(edge, "BODY_S_MAX", 0.05)
    client = Client(pieces=[b"x", b""])
    client.pieces[1:] = []
    client.receive = stuck(client.receive)
    assert await client.run() == 408
    assert (client.problem, client.seen) == ("timeout", None)


def stuck(receive):
    """The first piece says that more is to come, and nothing comes."""
    first = True

    async def slow():
        nonlocal first
        if not first:
            await asyncio.Event().wait()
        first = False
        return {**await receive(), "more_body": True}

    return slow


@pytest.mark.parametrize("at_hand", [0, 1, 2])
async def test_a_body_that_comes_bit_by_bit_comes_through_whole(at_hand):
    client = Client()
    pieces, more = [b"ab", b"cd", b"ef"], asyncio.Event()
    come = pieces[:at_hand]

    async def as_it_comes():
        while not come:
            more.clear()
            await more.wait()
        piece = come.pop(0)
        return {"type": "http.request", "body": piece, "more_body": piece != pieces[-1]}

    client.receive = as_it_comes
    running = asyncio.create_task(client.run())
    for piece in pieces[at_hand:]:
        for _ in range(3):
            await asyncio.sleep(0)
        assert client.seen is None
        come.append(piece)
        more.set()
    assert await running == 200
    assert client.seen == b"abcdef"


async def test_who_is_cancelled_while_a_body_is_awaited_ends_cancelled():
    client = Client()
    running = asyncio.create_task(client.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert client.sent == []


async def test_who_is_cancelled_while_a_body_is_given_up_ends_cancelled(monkeypatch):
    monkeypatch.setattr(edge, "BODY_S_MAX", 0.01)
    client = Client()

    async def cancelled_twice():
        try:
            await asyncio.Event().wait()
        finally:
            running.cancel()

    client.receive = cancelled_twice
    running = asyncio.create_task(client.run())
    with pytest.raises(asyncio.CancelledError):
        await running
    assert client.sent == []


async def test_a_body_in_time_leaves_no_timer_behind(monkeypatch):
    monkeypatch.setattr(edge, "BODY_S_MAX", 0.01)
    client = Client(pieces=[b"x"])
    given_up = asyncio.Event()
    app = client.app

    async def slow(scope, receive, send):
        await app(scope, receive, send)
        asyncio.get_running_loop().call_later(0.05, given_up.set)
        await given_up.wait()

    client.app = slow
    assert await client.run() == 200


async def test_who_leaves_gets_nothing():
    client = Client(pieces=[b"x", None])
    assert await client.run() is None
    assert client.seen is None


async def test_a_request_without_a_body_is_not_read():
    client = Client(method="GET")
    assert await client.run() == 200


@pytest.mark.parametrize("sent", [b"a-1.B_2", b"x" * 64])
async def test_a_correlation_id_is_echoed(sent):
    client = Client(method="GET", headers=[(b"x-correlation-id", sent)])
    await client.run()
    assert client.scope[edge.CORRELATION] == sent
    assert (b"x-correlation-id", sent) in client.sent[0]["headers"]


@pytest.mark.parametrize("headers", [[], [(b"x-correlation-id", b"a\r\nb")], [(b"x-correlation-id", b"x" * 65)]])
async def test_without_one_that_counts_it_gets_its_own(headers):
    ids = set()
    for _ in range(2):
        client = Client(pieces=[b"x" * (edge.BODY_BYTES_MAX + 1)], headers=headers)
        assert await client.run() == 413
        ids.add(dict(client.sent[0]["headers"])[b"x-correlation-id"])
    assert len(ids) == 2
    assert all(len(one) == 16 for one in ids)


async def test_requests_side_by_side_keep_their_own():
    clients = [Client(method="GET", headers=[(b"x-correlation-id", b"%d" % number)]) for number in range(50)]
    await asyncio.gather(*(client.run() for client in clients))
    for number, client in enumerate(clients):
        assert (b"x-correlation-id", b"%d" % number) in client.sent[0]["headers"]


async def test_beyond_so_many_requests_at_once_the_next_is_told_to_come_again(monkeypatch):
    monkeypatch.setattr(edge, "UNDER_WAY_MAX", 2)
    inside = asyncio.Event()
    waiting = [Client(pieces=[b"a"]) for _ in range(2)]
    late, reader = Client(pieces=[b"a"]), Client("GET")

    async def slow(scope, receive, send) -> None:
        client = next(one for one in (*waiting, late, reader) if one.scope is scope)
        if client in waiting:
            await inside.wait()
        await client.app(scope, receive, send)

    shared = Edge(slow, lambda *_: None)
    running = [asyncio.ensure_future(shared(one.scope, one.receive, one.send)) for one in waiting]
    await asyncio.sleep(0)
    await shared(late.scope, late.receive, late.send)
    await shared(reader.scope, reader.receive, reader.send)
    assert (late.sent[0]["status"], late.problem) == (503, "unavailable")
    assert reader.sent[0]["status"] == 200
    inside.set()
    await asyncio.gather(*running)
    again = Client(pieces=[b"a"])
    waiting.append(again)
    await shared(again.scope, again.receive, again.send)
    assert [one.sent[0]["status"] for one in waiting] == [200, 200, 200]
