"""Orders at gateways on a real broker: placed, followed, wished for; the same at every gateway and after a restart."""

import asyncio
import uuid

import pytest

from domain.ids import customer_hash, parse_order
from domain.orders import Ask, Born, PayAnswered
from domain.payment import Operation, PayOutcome
from domain.roles import Role
from streams.kafka_log import KafkaLog
from tests.integration.counter import now_ms
from tests.integration.desk import Desk
from tests.integration.hands import PRICE, hands
from tests.integration.harness import PARTITIONS, eventually, new_stage
from tests.integration.shop import sku_in
from tests.integration.till import Till, asked, ready

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def open_shop(session_broker, tmp_path_factory):
    """Owners of stock and orders and two gateways, for all tests of this module. Their hands are the tests' own."""
    if not session_broker.is_running:
        session_broker.start()
    stage = asyncio.run(new_stage(session_broker.address, tmp_path_factory.mktemp("shop")))
    with (
        stage.worker("w1"),
        stage.program("o1", "agents", "order", worker="o1"),
        stage.gateway("g1", rate_per_s=0) as first,
        stage.gateway("g2", rate_per_s=0) as second,
    ):
        yield stage, asyncio.run(ready(first)), asyncio.run(ready(second))


@pytest.fixture
async def shop(open_shop):
    """A till at each gateway, with customers of the test's own."""
    stage, first, second = open_shop
    whose = uuid.uuid4().hex[:8]
    async with Till(stage, first, whose) as one, Till(stage, second, whose) as other:
        yield one, other


@pytest.fixture
async def desk(open_shop):
    async with KafkaLog(open_shop[0].servers, "test") as log:
        yield Desk(open_shop[0], log, f"hands-{uuid.uuid4().hex[:6]}")


@pytest.fixture
def skus():
    """Two SKUs of the test's own, in partitions 0 and 1."""
    name = uuid.uuid4().hex[:8]
    return sku_in(0, PARTITIONS, f"a{name}"), sku_in(1, PARTITIONS, f"b{name}")


async def until(till, place, status, customer="ann"):
    async def look():
        reply = await till.ask("GET", place, customer=customer)
        return reply if reply.body["status"] == status else None

    return await eventually(look, what=f"{place} to be {status}")


def born_of(desk, bought, customer: str) -> Born:
    """What the relay makes of a grant."""
    order = parse_order(bought.body["order_id"])
    _, offset, index = map(int, bought.body["receipt"].split(":"))
    hashed = customer_hash(desk.stage.keys.customer, customer)
    return Born(
        order,
        bought.body["sku"],
        hashed,
        1,
        PRICE,
        "EUR",
        now_ms() + 60_000,
        bytes(8),
        offset,
        index,
        "pm_card_visa",
        b"",
    )


async def test_an_order_of_several_lines_is_followed_from_click_to_parcel(shop, desk, skus):
    here, there = shop
    async with hands(desk, idle={Ask.AUTHORISE}) as agents:
        reply = await here.order("ann", "k1", (skus[1], 2), (skus[0], 1), (skus[1], 1), payment_method="pm_card_visa")
        assert (reply.status, reply.body["status"]) == (201, "RESERVED"), reply
        assert reply.body["lines"] == [
            {"line": 1, "sku": skus[0], "quantity": 1, "unit_price": PRICE},
            {"line": 2, "sku": skus[1], "quantity": 3, "unit_price": PRICE},
        ]
        assert (reply.body["amount"], reply.body["currency"]) == (4 * PRICE, "EUR")
        assert reply.body["receipt"] == reply.headers["Turnstile-Appended"]
        place = reply.headers["Location"]
        pending = await until(there, place, "PAYMENT_PENDING")  # until its news are there, the other one says 404
        following = asyncio.create_task(there.stream(f"{place}/events", customer="ann", until="DELIVERED"))
        assert pending.body["payment"] == {"state": "authorising", "attempt": 1, "captured": 0, "refunded": 0}
        await agents.go_on(Ask.AUTHORISE)
        await until(here, place, "CONFIRMED")
        for step, status in (("ship", "SHIPPED"), ("deliver", "DELIVERED")):
            done = await here.ops("POST", f"{place}/{step}", {})
            assert (done.status, done.body["outcome"], done.body["status"]) == (200, "accepted", status)
        events = await asyncio.wait_for(following, 10)
    assert [number for number, _ in events] == list(range(1, 8))
    expected = ["CREATED", "RESERVED", "PAYMENT_PENDING", "PAID", "CONFIRMED", "SHIPPED", "DELIVERED"]
    assert [data["to"] for _, data in events] == expected
    assert await there.stream(f"{place}/events", customer="ann", last=5, until="DELIVERED") == events[5:]
    seen = [await until(till, place, "DELIVERED") for till in shop]
    assert seen[0].body == seen[1].body
    assert [one["to"] for one in seen[0].body["history"]] == expected
    assert seen[0].headers["ETag"] == seen[1].headers["ETag"]
    for till in shop:
        for tag, status in ((seen[0].headers["ETag"], 304), ('"1.1"', 200), ('"x"', 200), ('"99.9"', 304)):
            same = await till.ask("GET", place, customer="ann", headers={"If-None-Match": tag})
            assert same.status == status, tag  # who has seen more at another gateway is not sent back
    again = await there.order("ann", "k1", (skus[0], 1), (skus[1], 3), payment_method="pm_card_visa")
    assert (again.status, again.body) == (201, reply.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    for changed in ({"payment_method": "pm_other"}, {"payment_method": "pm_card_visa", "partial": True}):
        other = await there.order("ann", "k1", (skus[0], 1), (skus[1], 3), **changed)
        assert (other.status, other.body["outcome"]) == (422, "key-reused")


async def test_a_line_that_is_not_to_be_had_ends_the_whole_order(shop, desk, skus):
    here, there = shop
    async with hands(desk, refused={skus[1]}):
        reply = await here.order("ann", "k1", (skus[0], 1), (skus[1], 1), payment_method="pm_card_visa")
        assert (reply.status, reply.body["outcome"]) == (409, "sold-out"), reply
        place = reply.headers["Location"]
        events = await there.stream(f"{place}/events", customer="ann")
        assert [data["to"] for _, data in events] == ["CREATED", "REJECTED"]
        left = await there.session.get(f"{place}/events", headers=here.bearer("ann") | {"Last-Event-ID": "2"})
        assert left.status == 204
        repeat = await there.order("ann", "k1", (skus[0], 1), (skus[1], 1), payment_method="pm_card_visa")
        assert (repeat.status, repeat.body) == (409, reply.body)
        part = await here.order("ann", "k2", (skus[0], 1), (skus[1], 1), partial=True)
        assert part.status == 201
        assert [line["sku"] for line in part.body["lines"]] == [skus[0]]


async def test_a_single_line_becomes_an_order_with_another_card_on_the_same_hold(shop, desk, skus):
    """Its grant is stock's; here the hands say Born as the relay does."""
    here, there = shop
    await here.open_sku(skus[0], 5)
    bought = await here.buy("ann", "k1", skus[0], payment_method="pm_card_visa")
    assert (bought.status, bought.body["status"]) == (201, "RESERVED")
    place = bought.headers["Location"]
    assert (await until(there, place, "RESERVED")).body["lines"][0]["sku"] == skus[0]
    born = born_of(desk, bought, "ann" + here.whose)
    async with hands(desk, idle={Ask.AUTHORISE}) as agents:
        await desk.send(0, born, role=Role.RELAY)
        await until(there, place, "PAYMENT_PENDING")
        declined = PayAnswered(born.order, 1, Operation.AUTHORISE, PayOutcome.DECLINED, "pi_1", 0, reason="no_funds")
        await desk.send(0, declined, role=Role.PAYMENT)

        async def waits_for_a_card():
            body = (await there.ask("GET", place, customer="ann")).body
            return body["payment"]["state"] == "none"

        await eventually(waits_for_a_card)
        foreign = await there.ask("POST", f"{place}/payment", customer="bob", json={"payment_method": "pm_2"})
        assert foreign.status == 404
        paid = await there.ask("POST", f"{place}/payment", customer="ann", json={"payment_method": "pm_2"})
        assert (paid.status, paid.body["outcome"]) == (200, "accepted"), paid
        await agents.go_on(Ask.AUTHORISE)
        confirmed = await until(here, place, "CONFIRMED")
    assert confirmed.body["payment"] == {"state": "captured", "attempt": 2, "captured": PRICE, "refunded": 0}
    late = await here.ask("POST", f"{place}/payment", customer="ann", json={"payment_method": "pm_3"})
    assert (late.status, late.body["outcome"]) == (409, "refused")


async def test_a_cancel_before_the_order_is_born_is_accepted_and_holds(shop, desk, skus):
    here, there = shop
    await here.open_sku(skus[0], 5)
    bought = await here.buy("ann", "k1", skus[0], payment_method="pm_card_visa")
    place = bought.headers["Location"]
    gone = await there.ask("POST", f"{place}/cancel", customer="ann")
    assert (gone.status, gone.body["outcome"]) == (200, "accepted"), gone
    for till in shop:
        await until(till, place, "CANCELLED")
    async with hands(desk):
        await desk.send(0, born_of(desk, bought, "ann" + here.whose), role=Role.RELAY)

        async def is_released():
            body = (await there.ask("GET", place, customer="ann")).body
            return body["lines"][0]["state"] == "closed" if body["lines"] else None

        await eventually(is_released)
    assert (await here.ask("GET", place, customer="ann")).body["status"] == "CANCELLED"


async def test_cancel_return_and_refund(shop, desk, skus):
    here, there = shop
    async with hands(desk):
        made = [
            await here.order("ann", f"k{number}", (skus[0], 2), (skus[1], 1), payment_method="pm_card_visa")
            for number in range(2)
        ]
        first, second = (reply.headers["Location"] for reply in made)
        for place in (first, second):
            await until(here, place, "CONFIRMED")
        assert (await there.ask("POST", f"{first}/cancel", customer="bob")).status == 404
        for till in (there, here):
            gone = await till.ask("POST", f"{first}/cancel", customer="ann")
            assert (gone.status, gone.body["outcome"]) == (200, "accepted")
        refunded = await until(there, first, "REFUNDED")
        assert refunded.body["payment"]["refunded"] == 3 * PRICE
        await here.ops("POST", f"{second}/ship", {"line": 1, "quantity": 1})
        refused = await here.ask("POST", f"{second}/cancel", customer="ann")
        assert (refused.status, refused.body["outcome"]) == (409, "refused")
        await here.ops("POST", f"{second}/ship", {})
        key = {"Idempotency-Key": "r1"}

        async def ops(path, body, headers=key):
            return await here.ask("POST", f"{second}/{path}", customer="o", scopes=("ops",), headers=headers, json=body)

        for _ in range(2):
            back = await ops("return", {"line": 1, "quantity": 1, "restock": True})
            assert (back.status, back.body["outcome"]) == (200, "accepted"), back
        other = await ops("return", {"line": 1, "quantity": 2, "restock": True})
        assert (other.status, other.body["outcome"]) == (422, "key-reused")
        assert (await until(here, second, "SHIPPED")).body["payment"]["refunded"] == PRICE
        money = await ops("refund", {"amount": 100, "reason": "late"})
        assert (money.status, money.body["outcome"]) == (200, "accepted"), money

        async def is_back():
            return (await there.ask("GET", second, customer="ann")).body["payment"]["refunded"] == PRICE + 100

        await eventually(is_back)
        too_much = await ops("refund", {"amount": 10**6, "reason": "late"}, {"Idempotency-Key": "r2"})
        assert (too_much.status, too_much.body["outcome"]) == (409, "refused")
        settled = await ops("settle", {"outcome": "captured", "reference": "pi_1"})
        assert (settled.status, settled.body["outcome"]) == (409, "refused")
    unknown = await here.ops("POST", "/v1/orders/00009c65-bcdf-819c-89c1-b5ce819f411c/ship", {})
    assert (unknown.status, unknown.body["outcome"]) == (404, "unknown-order")


async def test_orders_are_listed_newest_first_for_their_customer_alone(shop, desk, skus):
    here, there = shop
    async with hands(desk, idle={Ask.AUTHORISE}):
        made = [
            (await here.order("ann", f"k{number}", (skus[0], 1), (skus[1], 1))).body["order_id"] for number in range(5)
        ]
        await here.order("bob", "k", (skus[0], 1), (skus[1], 1))
    for till in shop:

        async def listed(till=till):
            return len((await till.ask("GET", "/v1/orders?customer=me", customer="ann")).body["orders"]) == 5

        await eventually(listed)
        found, cursor = [], ""
        while True:
            page = (await till.ask("GET", f"/v1/orders?customer=me&limit=2&cursor={cursor}", customer="ann")).body
            found += [order["order_id"] for order in page["orders"]]
            cursor = page.get("cursor", "")
            if not cursor:
                break
        assert found == made[::-1]
    everybody = await there.ask("GET", "/v1/orders?customer=ann" + here.whose, customer="o", scopes=("ops",))
    assert len(everybody.body["orders"]) == 5
    assert (await there.ask("GET", "/v1/orders?customer=bob", customer="ann")).status == 403


async def test_what_is_no_event_stops_no_gateway(shop, desk, skus, open_shop):
    here, there = shop
    await desk.log.append(open_shop[0].topics.order_events.name, 0, b"no event")
    async with hands(desk, idle={Ask.AUTHORISE}):
        made = await here.order("ann", "k1", (skus[0], 1), (skus[1], 1), payment_method="pm_card_visa")
        assert made.status == 201, made
        await until(there, made.headers["Location"], "PAYMENT_PENDING")
    for till in shop:
        metrics = (await till.ask("GET", "/metrics")).raw.decode()
        assert 'turnstile_alarms_total{alarm="event.unreadable"} 1.0' in metrics


async def test_an_address_stands_in_clear_in_no_topic(shop, desk, skus, open_shop):
    here, _ = shop
    stage = open_shop[0]
    address = {"name": "Ann Unmistakable", "email": "ann@unmistakable.example", "line1": "Main Street 1"}
    address |= {"postal_code": "12345", "city": "Unmistakable", "country": "DE"}
    await here.open_sku(skus[0], 5)
    async with hands(desk):
        several = await here.order("ann", "k1", (skus[0], 1), (skus[1], 1), shipping=address)
        single = await here.buy("ann", "k2", skus[0], payment_method="pm_card_visa", shipping=address)
        assert (several.status, single.status) == (201, 201)
        repeat = await here.buy("ann", "k2", skus[0], payment_method="pm_card_visa", shipping=address)
        assert (repeat.status, repeat.raw) == (201, single.raw)
        moved = await here.buy(
            "ann", "k2", skus[0], payment_method="pm_card_visa", shipping=address | {"city": "Elsewhere"}
        )
        assert (moved.status, moved.body["outcome"]) == (422, "key-reused")
    for topic in stage.topics:
        for partition in range(1 if topic is stage.topics.dead_letters else PARTITIONS):
            for record in await desk.raw(topic.name, partition):
                assert b"nmistakable" not in (record.value or b"")


async def test_several_currencies_are_refused_and_leave_nothing(shop, desk, skus, open_shop):
    here, _ = shop
    await here.open_sku(skus[0], 5)
    policy = {"sku": skus[1], "price": 1, "currency": "USD", "units": 1, "limit_per_customer": 1, "hold_seconds": 60}
    assert (await here.ops("POST", "/v1/skus", policy)).status == 201
    before = await asked(open_shop[0], desk.log)
    reply = await here.order("ann", "k1", (skus[0], 1), (skus[1], 1))
    assert (reply.status, reply.body["errors"][0]["path"]) == (400, "$.items")
    assert "EUR, USD" in reply.body["detail"]
    assert await asked(open_shop[0], desk.log) == before
