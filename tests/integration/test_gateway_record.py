"""Gateways and the system of record: what was told is told again after restarts, with SQL behind, ahead or away."""

import asyncio
import signal

import pytest

from domain.orders import Ask
from tests.integration.desk import Desk
from tests.integration.hands import hands
from tests.integration.harness import eventually
from tests.integration.shop import sku_in
from tests.integration.till import Till, ready

pytestmark = pytest.mark.integration


async def gauge(till, name: str) -> int:
    text = (await till.ask("GET", "/metrics")).raw.decode()
    return int(float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1]))


async def in_tail(till) -> int:
    """Orders that SQL does not have yet."""
    return await gauge(till, "turnstile_tail_orders")


async def streams_open(till) -> int:
    return await gauge(till, "turnstile_open_streams")


async def test_orders_are_told_from_sql_and_log_whichever_has_more(stage, log):
    skus = [sku_in(partition, stage.partitions) for partition in (0, 1)]
    copying = stage.program("c1", "agents", "confirmation", worker="c1", metrics_port=-1)
    gateway = stage.gateway("g1", rate_per_s=0)
    with stage.program("o1", "agents", "order", worker="o1"), copying, gateway:
        async with Till(stage, await ready(gateway)) as till, hands(Desk(stage, log), idle={Ask.CONFIRM}):
            made = await till.order("ann", "k1", (skus[0], 1), (skus[1], 2), payment_method="pm_card_visa")
            assert made.status == 201, made
            place = made.headers["Location"]

            async def seen(status):
                reply = await till.ask("GET", place, customer="ann")
                return reply.body if reply.body["status"] == status else None

            confirmed = await eventually(lambda: seen("CONFIRMED"), within_s=30)

            async def copied():
                return await in_tail(till) == 0

            await eventually(copied)
            copying.stop()
            shipped = await till.ops("POST", f"{place}/ship", {})
            assert shipped.body["status"] == "SHIPPED", shipped
            before = await seen("SHIPPED")
            listed = (await till.ask("GET", "/v1/orders?customer=me", customer="ann")).body
            assert before["history"][:-1] == confirmed["history"]
            following = asyncio.create_task(till.stream(f"{place}/events", customer="ann"))
            await eventually(lambda: streams_open(till))
            gateway.send(signal.SIGTERM)
            told = await asyncio.wait_for(following, 8)  # ended by the gateway, not cut off when its patience ended
            assert [data for _, data in told] == before["history"]
        gateway.stop()
        gateway.start()
        async with Till(stage, await ready(gateway, 2)) as till:
            assert await in_tail(till) == 1  # SQL has the order up to CONFIRMED, the log the rest
            assert (await till.ask("GET", place, customer="ann")).body == before
            assert (await till.ask("GET", "/v1/orders?customer=me", customer="ann")).body == listed
            events = await till.stream(f"{place}/events", customer="ann", until="SHIPPED")
            assert [data for _, data in events] == before["history"]
            copying.start()

            async def caught_up():
                return await in_tail(till) == 0

            await eventually(caught_up, within_s=30)
            assert (await till.ask("GET", place, customer="ann")).body == before
            assert (await till.ask("GET", place, customer="bob")).status == 404


async def test_without_sql_a_gateway_sells_and_shows_what_is_young(stage, log):
    skus = [sku_in(partition, stage.partitions) for partition in (0, 1)]
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    with (
        stage.program("o1", "agents", "order", worker="o1"),
        stage.worker("w1"),
        stage.gateway("g1", sql=nowhere) as gateway,
    ):
        async with Till(stage, await ready(gateway)) as till, hands(Desk(stage, log), idle={Ask.AUTHORISE}):
            assert gateway.logged("sql.away")
            made = await till.order("ann", "k1", (skus[0], 1), (skus[1], 1), payment_method="pm_card_visa")
            assert made.status == 201, made
            shown = await till.ask("GET", made.headers["Location"], customer="ann")
            assert (shown.status, shown.body["status"]) == (200, "PAYMENT_PENDING")
            gone = await till.ask("POST", made.headers["Location"] + "/cancel", customer="ann")
            assert (gone.status, gone.body["outcome"]) == (200, "accepted")
            await till.open_sku("poster", 1)
            assert (await till.buy("ann", "k2", "poster")).status == 201
            address = {"name": "Ann", "email": "ann@example.org", "line1": "x", "postal_code": "1"}
            address |= {"city": "Town", "country": "DE"}
            sealed = await till.buy("ann", "k3", "poster", shipping=address)
            assert sealed.status == 503  # without the customer's key nothing can be sealed
            assert (await till.ask("GET", "/v1/orders?customer=me", customer="ann")).status == 503
