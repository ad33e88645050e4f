"""Gateways, workers and a real broker: what clients are told is what was decided, once."""

import asyncio
import uuid

import pytest

from streams.kafka_log import KafkaLog
from tests.integration.harness import eventually, new_stage
from tests.integration.till import Till, asked, ready

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def open_shop(session_broker, tmp_path_factory):
    """One worker and one gateway without a rate limit, for all tests of this module: they take SKUs of their own."""
    if not session_broker.is_running:
        session_broker.start()
    stage = asyncio.run(new_stage(session_broker.address, tmp_path_factory.mktemp("shop")))
    with stage.worker("w1"), stage.gateway("g1", rate_per_s=0) as gateway:
        yield stage, asyncio.run(ready(gateway))


@pytest.fixture
async def shop(open_shop):
    """A client with customers of its own."""
    stage, address = open_shop
    async with Till(stage, address, whose=uuid.uuid4().hex[:8]) as till:
        yield till


@pytest.fixture
def poster():
    """A SKU of the test's own."""
    return f"poster-{uuid.uuid4().hex[:8]}"


def bodies(replies):
    return {reply.raw for reply in replies}


async def test_one_unit_for_a_hundred_concurrent_buyers(shop, poster):
    await shop.open_sku(poster, 1)
    replies = await asyncio.gather(*(shop.buy(f"c{number}", "key", poster, wait=5) for number in range(100)))
    granted = [reply for reply in replies if reply.status == 201]
    refused = [reply for reply in replies if reply.status == 409]
    assert (len(granted), len(refused)) == (1, 99)
    assert {reply.body["outcome"] for reply in refused} == {"all-held"}
    assert granted[0].body["status"] == "RESERVED"
    first = min(tuple(map(int, reply.body["receipt"].split(":"))) for reply in replies)
    assert granted[0].body["receipt"] == ":".join(map(str, first))
    counters = (await shop.ops("GET", f"/v1/skus/{poster}")).body
    assert (counters["received"], counters["available"], counters["held"]) == (1, 0, 1)


@pytest.mark.parametrize(("units", "status"), [(5, 201), (0, 409)])
async def test_the_same_key_fifty_times_at_once_is_one_decision(shop, units, status, poster):
    await shop.open_sku(poster, units)
    replies = await asyncio.gather(*(shop.buy("c1", "same", poster, quantity=2, wait=5) for _ in range(50)))
    assert {reply.status for reply in replies} == {status}
    assert len(bodies(replies)) == 1
    assert sum("Idempotent-Replayed" in reply.headers for reply in replies) == 49
    assert len({reply.headers["Turnstile-Appended"] for reply in replies}) == 50
    counters = (await shop.ops("GET", f"/v1/skus/{poster}")).body
    assert counters["held"] == (2 if units else 0)


async def test_without_wait_an_order_is_created_and_decided_later(shop, poster):
    await shop.open_sku(poster, 3)
    reply = await shop.buy("c1", "k1", poster, wait=0)
    assert (reply.status, reply.body["status"]) == (202, "CREATED")
    assert "Preference-Applied" not in reply.headers
    place = reply.headers["Location"]
    assert place == f"/v1/orders/{reply.body['order_id']}"

    async def reserved():
        order = await shop.ask("GET", place, customer="c1")
        assert order.status == 200
        return order.body if order.body["status"] == "RESERVED" else None

    order = await eventually(reserved)
    assert order["receipt"] == reply.headers["Turnstile-Appended"]
    repeat = await shop.buy("c1", "k1", poster)
    assert repeat.status == 201
    assert repeat.body["receipt"] == order["receipt"]
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert repeat.headers["Preference-Applied"] == "wait=2"
    assert repeat.headers["Turnstile-Appended"] != order["receipt"]


async def test_every_refusal_has_its_problem(shop, poster):
    await shop.open_sku(poster, 5, limit=3, price=2500)
    await shop.ops("POST", "/v1/skus", sku(f"early-{poster}"))
    await shop.open_sku(f"late-{poster}", 5)
    await shop.ops("POST", f"/v1/skus/late-{poster}/close")
    await shop.open_sku(f"none-{poster}", 0)

    async def outcome(customer, key, name, **more):
        reply = await shop.buy(customer, key, name, **more)
        if reply.status == 201:
            return 201, "granted"
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert reply.body["type"] == f"urn:turnstile:problem:{reply.body['outcome']}"
        assert reply.body["status"] == reply.status
        return reply.status, reply.body["outcome"]

    assert await outcome("c1", "a", "no-such") == (404, "unknown-sku")
    assert await outcome("c1", "b", f"early-{poster}") == (409, "not-open")
    assert await outcome("c1", "c", f"late-{poster}") == (409, "closed")
    assert await outcome("c1", "d", poster, max_price=2499) == (409, "price-changed")
    assert await outcome("c1", "e", poster, quantity=4) == (409, "limit-reached")
    assert await outcome("c1", "f", f"none-{poster}") == (409, "sold-out")
    assert await outcome("c1", "g", poster, quantity=3, max_price=2500) == (201, "granted")
    assert await outcome("c2", "h", poster, quantity=3) == (409, "all-held")
    assert await outcome("c1", "g", poster, quantity=2) == (422, "key-reused")
    assert await outcome("c1", "g", poster, quantity=3) == (422, "key-reused")  # max_price is content too
    assert await outcome("c1", "g", f"late-{poster}", quantity=3, max_price=2500) == (422, "key-reused")
    assert await outcome("c1", "c", poster) == (422, "key-reused")
    assert await outcome("c2", "g", poster, quantity=2) == (201, "granted")


def sku(name, units=5, price=2500, limit=3, hold_seconds=60):
    return {
        "sku": name,
        "price": price,
        "currency": "EUR",
        "units": units,
        "limit_per_customer": limit,
        "hold_seconds": hold_seconds,
    }


async def test_more_than_there_ever_was_is_insufficient(shop, poster):
    await shop.open_sku(poster, 2)
    reply = await shop.buy("c1", "k", poster, quantity=3)
    assert (reply.status, reply.body["outcome"]) == (409, "insufficient")
    repeat = await shop.buy("c1", "k", poster, quantity=3)
    assert repeat.raw == reply.raw


async def test_a_hold_expires_and_says_so(shop, poster):
    await shop.open_sku(poster, 1, hold_seconds=1)
    order = (await shop.buy("c1", "k1", poster)).body
    place = f"/v1/orders/{order['order_id']}"

    async def expired():
        return (await shop.ask("GET", place, customer="c1")).body["status"] == "EXPIRED"

    await eventually(expired)
    assert (await shop.buy("c2", "k2", poster)).status == 201


async def test_a_rejected_order_is_shown_to_its_owner(shop, poster):
    await shop.open_sku(poster, 0)
    reply = await shop.buy("c1", "k1", poster)
    place = f"/v1/orders/{reply.body['order_id']}"
    order = await shop.ask("GET", place, customer="c1")
    assert order.body == {
        "order_id": reply.body["order_id"],
        "status": "REJECTED",
        "version": 0,
        "receipt": reply.body["receipt"],
        "reason": "sold-out",
    }
    assert (await shop.ask("GET", place, customer="c2")).status == 404


async def test_somebody_elses_order_is_not_there(shop, poster):
    await shop.open_sku(poster, 1)
    order = (await shop.buy("c1", "k1", poster)).body["order_id"]
    async with KafkaLog(shop.stage.servers) as log:
        before = await asked(shop.stage, log)
        for path, method in ((f"/v1/orders/{order}", "GET"), (f"/v1/orders/{order}/cancel", "POST")):
            reply = await shop.ask(method, path, customer="c2")
            assert (reply.status, reply.body["type"]) == (404, "urn:turnstile:problem:not-found")
        assert await asked(shop.stage, log) == before
    assert (await shop.ask("GET", f"/v1/orders/{order}", customer="c1")).body["status"] == "RESERVED"


async def test_skus_are_made_once_and_changed_by_version(shop, poster):
    made = await shop.ops("POST", "/v1/skus", sku(poster))
    assert made.status == 201
    assert made.body["status"] == "not-open"
    again = await shop.ops("POST", "/v1/skus", sku(poster))
    assert (again.status, again.body["received"], again.body["version"]) == (200, 5, 1)
    for other in (sku(poster, price=1), sku(poster, units=6), sku(poster, hold_seconds=61)):
        reply = await shop.ops("POST", "/v1/skus", other)
        assert (reply.status, reply.body["type"]) == (409, "urn:turnstile:problem:conflict")
    opened = await shop.ops("POST", f"/v1/skus/{poster}/open")
    assert (opened.body["status"], opened.body["version"]) == ("open", 2)
    changed = await shop.ops("PATCH", f"/v1/skus/{poster}", {"price": 1900})
    assert (changed.body["price"], changed.body["limit_per_customer"], changed.body["version"]) == (1900, 3, 3)
    stale = await shop.ops("PATCH", f"/v1/skus/{poster}", {"price": 1, "version": 2})
    assert (stale.status, stale.body["outcome"]) == (409, "conflict")
    closed = await shop.ops("POST", f"/v1/skus/{poster}/close")
    assert closed.body["status"] == "closed"
    missing = await shop.ops("POST", "/v1/skus/no-such/open")
    assert (missing.status, missing.body["type"]) == (404, "urn:turnstile:problem:unknown-sku")


async def test_an_adjustment_counts_once_by_its_reference(shop, poster):
    await shop.open_sku(poster, 5)
    delivery = {"delta": 10, "reason": "second delivery", "reference": "d2"}
    for _ in range(3):
        reply = await shop.ops("POST", f"/v1/skus/{poster}/adjustments", delivery)
        assert (reply.status, reply.body["sku"]["received"]) == (200, 15)
    reused = await shop.ops("POST", f"/v1/skus/{poster}/adjustments", {**delivery, "delta": 11})
    assert (reused.status, reused.body["outcome"]) == (422, "key-reused")
    short = await shop.ops("POST", f"/v1/skus/{poster}/adjustments", {**delivery, "delta": -20, "reference": "d3"})
    assert (short.status, short.body["outcome"]) == (409, "shortfall")
    assert (await shop.ops("GET", f"/v1/skus/{poster}")).body["available"] == 0
    missing = await shop.ops("POST", "/v1/skus/no-such/adjustments", delivery)
    assert (missing.status, missing.body["outcome"]) == (404, "unknown-sku")


async def test_customers_see_a_bucket_and_operators_counters(shop, poster):
    await shop.open_sku(poster, 11)
    seen = (await shop.ask("GET", f"/v1/skus/{poster}", customer="c1")).body
    assert seen["availability"] == "many"
    assert "available" not in seen
    await shop.buy("c1", "k1", poster)
    assert (await shop.ask("GET", f"/v1/skus/{poster}", customer="c1")).body["availability"] == "few"
    await shop.buy("c2", "k2", poster, quantity=10)
    assert (await shop.ask("GET", f"/v1/skus/{poster}", customer="c1")).body["availability"] == "all-held"
    counters = (await shop.ops("GET", f"/v1/skus/{poster}")).body
    assert (counters["available"], counters["held"]) == (0, 11)
