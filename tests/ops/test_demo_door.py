"""A shopper's client repeats the very same request until an answer decides, whatever the gateways do meanwhile."""

import random
from collections.abc import Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ops.demo import door as door_module
from ops.demo.door import Door

HEADERS = {"Idempotency-Key": "k1", "Content-Type": "application/json"}
Answer = Callable[[web.Request], web.StreamResponse]


class Gateway:
    """Answers from a list, the last for ever; remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, bytes]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers["Idempotency-Key"], await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(request)

    async def serve(self) -> TestServer:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self.handle)
        server = TestServer(app)
        await server.start_server()
        return server


def status(code: int, text: str = "{}", **headers: str) -> Answer:
    return lambda _: web.Response(status=code, text=text, headers={k.replace("_", "-"): v for k, v in headers.items()})


def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def ask(*gateways: Gateway, first: int = 0):
    servers = [await gateway.serve() for gateway in gateways]
    door = Door([str(server.make_url("")).rstrip("/") for server in servers], random.Random(1))
    try:
        return await door.ask(first, "POST", "/v1/orders", HEADERS, b'{"x":1}'), door.retries
    finally:
        await door.close()
        for server in servers:
            await server.close()


@pytest.mark.parametrize("code", [200, 201, 400, 401, 403, 404, 409, 422])
async def test_what_decides_is_the_answer(code):
    gateway = Gateway(status(code, "told"))
    heard, retries = await ask(gateway)
    assert (heard.status, heard.body, heard.tries, retries) == (code, "told", 1, 0)


@pytest.mark.parametrize(
    "undecided",
    [status(202), status(429), status(502), status(503), status(504), cut],
    ids=["202", "429", "502", "503", "504", "cut off"],
)
async def test_what_decides_nothing_is_asked_again_with_the_same_key_and_body(undecided):
    gateway = Gateway(undecided, status(201))
    heard, retries = await ask(gateway)
    assert (heard.status, heard.tries, retries) == (201, 2, 1)
    assert gateway.asked == [("/v1/orders", "k1", b'{"x":1}')] * 2


async def test_the_next_gateway_is_asked_in_turn():
    dead, alive = Gateway(cut), Gateway(status(409))
    heard, _ = await ask(alive, dead, first=7)
    assert (heard.status, len(dead.asked), len(alive.asked)) == (409, 1, 1)


async def test_patience_ends(monkeypatch):
    monkeypatch.setattr(door_module, "PATIENCE_S", 0.2)
    heard, _ = await ask(Gateway(status(503, "away")))
    assert (heard.status, heard.body) == (0, "away")
    assert heard.tries > 1
