"""Five times what an owner can decide is offered: what can be decided soon is taken, the rest is told to come again."""

import asyncio
import time

import pytest

from bench.resident import MIB, resident_bytes
from domain.outcomes import Outcome
from domain.stock import Reserve
from ops.survey import survey
from streams.stock_records import BATCHES
from tests.integration.harness import eventually
from tests.integration.shop import Shop
from tests.integration.till import Reply, Till, ready

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

RATE = 2_000
"""What the owner decides in a second."""
OFFERED = 5 * RATE
OFFERED_S = 30.0
SETTLED_S = 15.0
"""From then on nothing may grow any more."""
UNITS = 1_000
WAIT_S_MAX = 5.0
"""The limit is 2 s; what comes until the owner is known to be slow waits longer, and this machine is busy."""
GROWTH_MIB_MAX = 40
"""In 15 s, with what is remembered of refusals. What is not turned away would be 120,000 commands, 100 MiB."""
EVERY_S = 0.25


async def someone(till: Till, sku: str, seconds: float) -> list[Reply]:
    """Who buys now and then at a gateway of its own, over HTTP."""
    replies: list[Reply] = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        replies.append(await till.buy(f"someone-{len(replies)}", "k", sku, wait=0))
        await asyncio.sleep(EVERY_S)
    return replies


async def purchases(shop: Shop, partition: int) -> int:
    """How many are in the commands topic."""
    found = 0
    async for record in shop.log.read(shop.topics.stock_commands.name, partition, 1):
        found += sum(type(command) is Reserve for command in BATCHES.decode(record.value).commands())
    return found


async def test_an_owner_that_falls_behind_is_offered_what_it_can_decide_and_the_rest_is_turned_away(stage, log, shop):
    sku = shop.sku(0)
    crowd = stage.program("crowd", "tests.chaos.crowd", sku, str(OFFERED), str(OFFERED_S), gateway="crowd")
    with (
        stage.program("slow", "tests.chaos.slow", str(RATE), worker="slow") as worker,
        stage.gateway("g1", rate_per_s=0) as gateway,
    ):
        async with Till(stage, await ready(gateway)) as till:
            await till.open_sku(sku, UNITS)
            with crowd:
                await crowd.until_logged("crowd.ready")
                asking = asyncio.create_task(someone(till, sku, OFFERED_S))
                await asyncio.sleep(SETTLED_S)
                pids = {program.name: program.pid for program in (crowd, worker, gateway)}
                resident = {name: resident_bytes(pid) / MIB for name, pid in pids.items()}
                replies = await asking
                growth = {name: resident_bytes(pid) / MIB - resident[name] for name, pid in pids.items()}
                told = await crowd.until_logged("crowd.told")
            again = await till.buy("late", "k", sku, wait=5)

            async def caught_up() -> bool:
                return not any(one.lag for one in await survey(log, stage.topics, shop.mine.name))

            await eventually(caught_up, what="a lag of 0")
            report = await shop.verified(undecided=2 * stage.partitions + 1)  # orders have no owner here; a tick
    assert max(growth.values()) <= GROWTH_MIB_MAX, growth
    assert told["asked"] >= 0.8 * OFFERED * OFFERED_S, "this machine could not offer it"
    assert 0.5 * RATE * OFFERED_S <= told["admitted"] <= 1.3 * RATE * OFFERED_S
    assert told["decided"] == told["admitted"]
    assert told["longest_s"] <= WAIT_S_MAX
    assert set(told["outcomes"]) == {"granted", "all-held"}
    assert told["problems"] == {"unavailable": told["asked"] - told["admitted"]}
    assert 2 <= told["retry_after_s_max"] <= WAIT_S_MAX
    taken = [reply for reply in replies if reply.status == 202]
    shed = [reply for reply in replies if reply.status == 503]
    assert shed
    assert len(taken) + len(shed) == len(replies)
    for reply in shed:
        assert reply.body["type"] == "urn:turnstile:problem:unavailable"
        assert "nothing was appended" in reply.body["detail"]
        assert 1 <= int(reply.headers["Retry-After"]) <= WAIT_S_MAX
    assert again.status == 409, "taken again, and decided at once"
    assert await purchases(shop, 0) == told["admitted"] + len(taken) + 1
    assert report.outcomes[Outcome.TOO_LATE] == 0
