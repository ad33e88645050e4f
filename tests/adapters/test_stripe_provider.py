"""What the adapter makes of a provider that does not answer, and of calls that must not leave."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from adapters.stand_in.behaviour import Behaviour
from adapters.stand_in.book import Book
from adapters.stripe_provider import (
    API_VERSION,
    KeyedHttp,
    KeyedInProcess,
    UnkeyedPostError,
    check_url,
    make_provider,
    with_http,
)
from domain.provider import Create, Limited, Refused, Retrieve, Tags, Unknown

CREATE = Create("o:1:authorise", Tags("env", "o", 1), 900, "EUR", "pm_card_visa")


def in_process(**behaviour):
    http = KeyedInProcess(Book(Behaviour(**behaviour)), timeout_s=0.05)
    return with_http(http), http.book


@pytest.mark.parametrize(
    ("behaviour", "expected", "executed"),
    [
        ({"answer_lost": 1.0}, Unknown("connection: APIConnectionError", outage=True), True),
        ({"request_lost": 1.0}, Unknown("connection: APIConnectionError", outage=True), False),
        ({"hang": 1.0}, Unknown("connection: APIConnectionError", outage=True), False),
        ({"unavailable": 1.0}, Unknown("http 503", outage=True), False),
        ({"error_after": 1.0}, Unknown("http 500", outage=True), True),
    ],
)
async def test_a_call_without_a_clear_answer_is_unknown_and_is_not_repeated_by_itself(behaviour, expected, executed):
    provider, book = in_process(**behaviour)
    assert await provider.perform(CREATE) == expected
    assert len(book.shelf.intents) == executed


async def test_too_many_calls_are_a_limit():
    provider, _ = in_process(writes_per_s=0.001)
    replies = [await provider.perform(CREATE._replace(key=f"o:{n}:authorise")) for n in range(3)]
    assert isinstance(replies[-1], Limited)


async def test_a_wrong_key_is_no_refusal_of_a_payment():
    http = KeyedInProcess(Book(Behaviour()))
    provider = with_http(http, key="pk_wrong")
    reply = await provider.perform(CREATE)
    assert isinstance(reply, Unknown)
    assert reply.outage


@pytest.mark.parametrize("key", ["", "2f2b6fd3-6a2f-4b2c-9a53-3f0a34cf19d1"])
async def test_no_post_leaves_without_a_key_of_ours(key):
    provider, book = in_process()
    with pytest.raises(UnkeyedPostError):
        await provider.perform(CREATE._replace(key=key))
    http = KeyedHttp(timeout=1)
    with pytest.raises(UnkeyedPostError):
        await with_http(http, address="http://127.0.0.1:9").perform(CREATE._replace(key=key))
    await http.close_async()
    assert not book.shelf.intents


async def test_a_network_that_is_not_there_is_unknown():
    provider = make_provider("stand-in+http://127.0.0.1:9", timeout_s=1)
    reply = await provider.perform(Retrieve("pi"))
    assert isinstance(reply, Unknown)
    assert reply.outage
    await provider.close()


@asynccontextmanager
async def answering(answer):
    """A server that answers every request with these bytes (None: never): a provider there, and what it is sent."""
    heads, over = [], asyncio.Event()

    async def serve(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await over.wait()
        else:
            writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    provider = make_provider(f"stand-in+http://127.0.0.1:{port}", timeout_s=0.5)
    yield provider, heads
    over.set()
    await provider.close()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{"],
)
async def test_an_answer_that_is_cut_or_no_json_is_unknown(answer):
    async with answering(answer) as (provider, heads):
        reply = await provider.perform(Retrieve("pi"))
        assert isinstance(reply, Unknown)
        assert reply.outage
        assert f"Stripe-Version: {API_VERSION}".encode() in heads[0]


async def test_an_answer_that_comes_too_late_is_unknown():
    async with answering(None) as (provider, _):
        assert await provider.perform(CREATE) == Unknown("connection: TimeoutError", outage=True)


async def test_a_refusal_is_known_for_certain():
    provider, _ = in_process()
    assert await provider.perform(CREATE._replace(amount=1)) == Refused("amount_too_small")


def test_a_url_names_a_provider_or_is_refused():
    for url, key in (("stripe://", "sk_test_x"), ("stand-in://?declines=0.2", ""), ("stand-in+http://127.0.0.1:1", "")):
        check_url(url, key)
    for url in ("stripe://", "https://api.example", "stand-in://?nonsense=1", ""):
        with pytest.raises(ValueError):
            check_url(url, "")
