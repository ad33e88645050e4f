"""Gateways side by side, after restarts, at a signal, and while the broker is away."""

import asyncio
import signal
import time
from collections import Counter

import pytest

from domain.outcomes import Outcome
from streams.records import DECIDED, decode_decided, decode_ledger
from tests.integration.harness import eventually
from tests.integration.till import Till, command_ends, ready
from tests.integration.webhook import event, signature

pytestmark = pytest.mark.integration


async def decisions(stage, log):
    """Outcome codes of all accepted records: in these tests one worker writes, so all DECIDED are."""
    codes = Counter()
    for partition in range(stage.partitions):
        async for record in log.read(stage.topics.stock_ledger.name, partition, 0):
            entry = decode_ledger(record.value)
            if entry.kind == DECIDED:
                codes.update(decode_decided(entry.body).outcomes)
    return codes


async def test_who_waits_at_sigterm_is_answered(stage):
    """No worker is there, so a waiting request is sure to be waiting when the signal comes."""
    with stage.gateway("g1") as gateway:
        async with Till(stage, await ready(gateway)) as till:
            waiting = asyncio.create_task(till.buy("c1", "k1", "poster", wait=3))
            created = await till.buy("c1", "k2", "poster", wait=0)
            assert created.status == 202
            gateway.send(signal.SIGTERM)
            reply = await waiting
            assert (reply.status, reply.body["status"]) == (202, "CREATED")
            await eventually(lambda: gateway.returncode is not None)
            assert gateway.returncode == 0


async def test_all_gateways_give_the_same_answers_and_so_they_do_after_restarts(stage):
    worker = stage.worker("w1")
    gateways = [stage.gateway("g1", rate_per_s=0), stage.gateway("g2", rate_per_s=0)]
    with worker, gateways[0], gateways[1]:
        async with Till(stage, await ready(gateways[0])) as first, Till(stage, await ready(gateways[1])) as second:
            await first.open_sku("poster", 2)
            await first.open_sku("none", 0)
            granted = await first.buy("c1", "k1", "poster")
            refused = await second.buy("c2", "k2", "none")
            assert (granted.status, refused.status) == (201, 409)
            await check_everywhere((first, second), granted, refused)
        worker.stop()
        for gateway in gateways:
            gateway.stop()
            gateway.start()
        worker.start()
        addresses = [await ready(gateway, 2) for gateway in gateways]
        async with Till(stage, addresses[0]) as first, Till(stage, addresses[1]) as second:
            await check_everywhere((first, second), granted, refused)
            other = await second.buy("c1", "k1", "other")
            assert (other.status, other.body["outcome"]) == (422, "key-reused")


async def check_everywhere(tills, granted, refused):
    for till in tills:
        again = await till.buy("c1", "k1", "poster", wait=5)
        assert (again.status, again.raw) == (201, granted.raw)
        assert again.headers["Idempotent-Replayed"] == "true"
        again = await till.buy("c2", "k2", "none", wait=5)
        assert (again.status, again.raw) == (409, refused.raw)
        shown = await till.ask("GET", granted.headers["Location"], customer="c1")
        assert (shown.status, shown.body["status"], shown.body["receipt"]) == (200, "RESERVED", granted.body["receipt"])
        seen = (await till.ops("GET", "/v1/skus/poster")).body
        assert (seen["available"], seen["held"]) == (1, 1)


async def test_keys_of_another_installation_are_refused(stage, tmp_path):
    """Another customer key would count the same customer twice; it must not even ask."""
    with stage.worker("w1"), stage.gateway("g1") as gateway:
        async with Till(stage, await ready(gateway)) as till:
            await till.open_sku("poster", 5)
        foreign = tmp_path / "foreign"
        (foreign / "keys").mkdir(parents=True)
        for name, text in (
            ("token.key", stage.keys.token.hex()),
            ("customer.key", bytes(32).hex()),
            ("address.key", bytes(32).hex()),
        ):
            (foreign / "keys" / name).write_text(text)
            (foreign / "keys" / name).chmod(0o600)
        with stage.gateway("g2", data_dir=foreign) as other:
            async with Till(stage, await ready(other)) as till:
                reply = await till.buy("c1", "k1", "poster")
                assert (reply.status, reply.body["type"]) == (503, "urn:turnstile:problem:wrong-customer-key")


async def test_without_a_broker_nothing_is_promised_and_then_it_goes_on(broker, stage, log):
    """Every answer is 503 (nothing was appended) or 504 (unknown); both are safe to repeat with the same key."""
    with stage.worker("w1"), stage.gateway("g1", rate_per_s=0, webhook_secrets="whsec_new") as gateway:
        async with Till(stage, await ready(gateway)) as till:
            await till.open_sku("poster", 50)
            bought = await till.buy("before", "k", "poster")
            assert bought.status == 201
            hint = event(stage, bought.body["order_id"])
            broker.stop()
            told = await till.ask("POST", "/v1/webhooks/stripe", headers=signature(hint), data=hint)
            assert told.status == 503
            first = await till.buy("first", "k", "poster")
            assert first.status in {503, 504}
            if first.status == 504:
                assert first.body["type"] == "urn:turnstile:problem:outcome-unknown"
                assert first.headers["Location"].startswith("/v1/orders/")
            later = await asyncio.gather(*(till.buy(f"later{number}", "k", "poster") for number in range(10)))
            assert {reply.status for reply in later} == {503}
            assert all(reply.headers["Retry-After"] for reply in later)
            assert (await till.ask("GET", "/readyz")).status == 503
            assert (await till.ask("GET", "/livez")).status == 200
            await gateway.until_logged("broker.away")
            broker.start()
            await gateway.until_logged("broker.back", within_s=60)

            async def got_it():
                return (await till.buy("first", "k", "poster")).status == 201

            await eventually(got_it, within_s=60)
            told = await till.ask("POST", "/v1/webhooks/stripe", headers=signature(hint), data=hint)
            assert (told.status, told.body["result"]) == (200, "appended")
            replies = await asyncio.gather(*(till.buy(f"later{number}", "k", "poster") for number in range(10)))
            assert {reply.status for reply in replies} == {201}
            seen = (await till.ops("GET", "/v1/skus/poster")).body
            assert (seen["available"], seen["held"]) == (38, 12)
    assert (await decisions(stage, log))[Outcome.GRANTED] == 12


async def test_a_gateway_that_cannot_work_says_why_and_ends(stage, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = {
        "no-keys": ({"data_dir": empty}, "is missing: `turnstile up` makes the keys"),
        "no-topics": ({"namespace": "elsewhere"}, "run `turnstile topics apply`"),
        "no-broker": ({"broker": "embedded://"}, "run `turnstile up`"),
        "no-address": ({"broker": "redpanda"}, "expected embedded:// or kafka://"),
    }
    for name, (settings, reason) in cases.items():
        with stage.gateway(name, **settings) as gateway:
            await eventually(lambda gateway=gateway: gateway.returncode is not None, what=name)
            assert gateway.returncode == 64, gateway.tail()
            (line,) = gateway.logged("program.failed")
            assert reason in line["reason"]


async def test_a_probe_is_appended_to_every_partition_before_a_gateway_is_ready(stage, log):
    before = await command_ends(stage, log)
    with stage.gateway("g1") as gateway:
        await ready(gateway)
        assert await command_ends(stage, log) == [end + 1 for end in before]


async def test_a_gateway_stops_in_time_although_the_broker_is_away(broker, stage):
    with stage.gateway("g1") as gateway:
        async with Till(stage, await ready(gateway)) as till:
            broker.stop()
            reply = await till.buy("c1", "k", "poster", wait=0)
            assert reply.status in {503, 504}
        begun = time.monotonic()
        gateway.send(signal.SIGTERM)
        await eventually(lambda: gateway.returncode is not None, within_s=18)
        assert gateway.returncode == 0
        assert time.monotonic() - begun < 15, gateway.tail()  # the supervisor kills after 20 s
    broker.start()
