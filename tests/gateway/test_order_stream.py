"""A stream of status changes: each once and in order, from where the client was, to the end."""

import asyncio
import json
import time
from types import SimpleNamespace

import msgspec
import pytest

from adapters.sql.database import Database
from adapters.sql.reading import Reader
from adapters.sql.store import Span, Store
from domain.ids import hold_id, order_id, order_text
from domain.stock import Expired, Granted
from gateway import order_stream as module
from gateway.lookup import Lookup
from gateway.order_stream import Follower
from gateway.problems import InvalidRequestError, Problem, ProblemError
from gateway.streams import OF_CUSTOMER_MAX, Streams
from gateway.tail import Tail
from gateway.view import Rejected, View, key_of
from streams.metrics import GatewayMetrics
from streams.records import DECIDED, Decided, encode_body, encode_fact
from streams.stock_records import encode_details
from tests.adapters.journeys import journey

ORDER = order_id(b"key", "ann", "k1", 0)
TEXT = order_text(ORDER)
ANN = bytes(8)
STATES = ["CREATED", "RESERVED", "PAYMENT_PENDING", "PAID", "CONFIRMED", "SHIPPED", "DELIVERED", "REFUND_PENDING"]
STATES.append("REFUNDED")


@pytest.fixture
def desk(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'orders.db'}")
    tail = Tail(1, {}, lambda *_: None)
    desk = SimpleNamespace(
        tail=tail,
        view=View(1, {}),
        lookup=Lookup(Reader(database), tail),
        streams=Streams(GatewayMetrics()),
        sql=database,
    )
    yield desk
    desk.lookup.close()
    database.close()


EVENTS = [msgspec.structs.replace(event, order=TEXT) for event in journey(1, "returned")]


def follow(desk, after=0, seconds=60.0):
    return Follower(desk, ORDER, TEXT, after, time.time() + seconds).run()


def parse(piece: bytes):
    """An event as (id, type, data), a comment as None."""
    fields = dict(line.split(": ", 1) for line in piece.decode().strip().splitlines() if not line.startswith(":"))
    return (int(fields["id"]), fields["event"], json.loads(fields["data"])) if fields else None


async def read(stream):
    return [event for piece in [one async for one in stream] if (event := parse(piece)) is not None]


def tell(desk, events, first=0):
    for offset, event in enumerate(events, first):
        desk.tail.apply(0, offset, event)


async def test_every_change_comes_once_and_the_last_one_ends_the_stream(desk):
    tell(desk, EVENTS[:4])
    reading = asyncio.create_task(read(follow(desk)))
    await asyncio.sleep(0)
    for offset, event in enumerate(EVENTS[4:], 4):
        tell(desk, [event], offset)
        await asyncio.sleep(0)
    events = await asyncio.wait_for(reading, 5)
    assert [number for number, _, _ in events] == list(range(1, 10))
    assert [data["to"] for _, _, data in events] == STATES
    assert {kind for _, kind, _ in events} == {"status"}
    assert (events[1][2]["from"], events[1][2]["sequence"]) == ("CREATED", 2)


@pytest.mark.parametrize("copied", [0, 3, 5, len(EVENTS)])
@pytest.mark.parametrize("after", [0, 2, 8, 9])
async def test_a_client_goes_on_where_it_was_from_sql_and_tail(desk, copied, after):
    if copied:
        Store(desk.sql).apply(Span("order.events", 0, 0, copied - 1), EVENTS[:copied])
    tell(desk, EVENTS[copied:], copied)
    events = await asyncio.wait_for(read(follow(desk, after)), 5)
    assert [data["to"] for _, _, data in events] == STATES[after:]


async def test_what_happens_while_sql_is_read_is_not_lost(desk, monkeypatch):
    tell(desk, EVENTS[:3])
    find = desk.lookup.find

    async def slow(order):
        found = await find(order)
        before = [*found.history]
        tell(desk, EVENTS[3:], 3)
        return msgspec.structs.replace(found, history=before)

    monkeypatch.setattr(desk.lookup, "find", slow)
    events = await asyncio.wait_for(read(follow(desk)), 5)
    assert [data["to"] for _, _, data in events][-1] == "REFUNDED"
    assert [number for number, _, _ in events] == sorted({number for number, _, _ in events})


async def test_a_stream_that_cannot_be_begun_ends_and_the_client_comes_again(desk, monkeypatch):
    async def away(_):
        raise ProblemError(Problem.UNAVAILABLE)

    monkeypatch.setattr(desk.lookup, "find", away)
    assert await read(follow(desk)) == []
    assert desk.tail._listeners == {}


async def test_silence_is_filled_with_comments_until_the_token_expires(desk, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.01)
    tell(desk, EVENTS[:3])
    pieces = [parse(piece) async for piece in follow(desk, seconds=0.2)]
    assert len([one for one in pieces if one]) == 3
    assert pieces.count(None) >= 3


async def test_a_gateway_that_stops_ends_its_streams(desk):
    tell(desk, EVENTS[:3])
    reading = asyncio.create_task(read(follow(desk)))
    await asyncio.sleep(0.05)
    assert not reading.done()
    desk.streams.stopping.set()
    assert len(await asyncio.wait_for(reading, 1)) == 3
    assert desk.tail._listeners == {}


def fact(offset, *changes):
    details = encode_details([], list(changes), [])
    body = Decided(offset, bytes(16), 1_000 + offset, "other", 1, b"\x10", None, None, details)
    return encode_fact(DECIDED, offset, encode_body(body))


async def test_a_refused_hold_is_one_event(desk):
    desk.view._rejected.put(key_of(ORDER), Rejected(ORDER, ANN, 0, 5, 0, 13, 9_000))
    ((number, _, data),) = await asyncio.wait_for(read(follow(desk)), 5)
    assert (number, data["to"], data["reason"]) == (1, "REJECTED", "sold-out")


async def test_a_hold_that_ends_before_its_order_is_born_ends_the_stream(desk, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.01)
    desk.view.apply(0, fact(1, Granted(0, hold_id(ORDER), "mug", ANN, 1, 900, "EUR", 9_000, bytes(8), b"")))
    reading = asyncio.create_task(read(follow(desk)))
    await asyncio.sleep(0.05)
    assert not reading.done()
    desk.view.apply(0, fact(2, Expired(hold_id(ORDER))))
    ((_, _, data),) = await asyncio.wait_for(reading, 5)
    assert data["to"] == "EXPIRED"


def test_a_customer_has_only_so_many_streams_open():
    streams = Streams(GatewayMetrics())
    opened = [streams.opened(ANN) for _ in range(OF_CUSTOMER_MAX)]
    for one in opened:
        streams.check(ANN)
        one.__enter__()
    with pytest.raises(ProblemError) as caught:
        streams.check(ANN)
    assert caught.value.problem.status == 429
    streams.check(b"somebody")
    opened[0].__exit__(None, None, None)
    streams.check(ANN)
    for one in opened[1:]:
        one.__exit__(None, None, None)
    assert not streams._open


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "²", "1" * 10])
def test_a_last_event_id_that_is_none_is_named(last):
    with pytest.raises(InvalidRequestError):
        module._parse(last)
    assert (module._parse(None), module._parse(""), module._parse("7")) == (0, 0, 7)
