"""A hold expires neither before nor long after its deadline, whoever is awake (W8)."""

import asyncio

import pytest

from domain.outcomes import Outcome
from domain.stock import CHANGES, Expired
from streams.stock_records import decode_details
from tests.integration.counter import Decision
from tests.integration.harness import eventually
from tests.integration.shop import Shop, load

pytestmark = pytest.mark.integration

HOLD_MS = 2_000
LATE_MS = 1_500
"""An idle owner ticks when the wall clock passes the deadline; 1 s more when a standby has to notice first."""


def expired_holds(decision: Decision) -> set[bytes]:
    runs = decode_details(decision.decided.details).changes
    return {change.hold for run in runs if CHANGES[run.kind] is Expired for change in run.items}


async def expiry_of(shop: Shop, partition: int, hold: bytes, *, within_s: float = 15.0) -> Decision:
    async def look() -> Decision | None:
        return next((one for one in await shop.decisions(partition) if hold in expired_holds(one)), None)

    return await eventually(look, within_s=within_s, every_s=0.1, what="the hold to expire")


async def granted(shop: Shop, sku: str) -> tuple[bytes, int]:
    """A hold, and the log time of its grant."""
    command = shop.reserve(sku, "k")
    decision = await shop.decision(0, await shop.send(0, command))
    assert decision.outcomes == [Outcome.GRANTED]
    return command.hold, decision.decided.clk


async def test_on_an_idle_partition_by_a_tick_of_the_owner(stage, shop):
    with stage.worker("w1") as worker:
        await worker.until_logged("partition.claimed", partition=0)  # a hold's time runs from its command's log time
        await shop.open(shop.sku(0), 1, hold_ms=HOLD_MS)
        hold, clk = await granted(shop, shop.sku(0))
        expiry = await expiry_of(shop, 0, hold)
        assert expiry.outcomes == [Outcome.TICKED]
        assert HOLD_MS <= expiry.decided.clk - clk <= HOLD_MS + LATE_MS
        assert await shop.outcomes(0, shop.reserve(shop.sku(0), "next")) == [Outcome.GRANTED]
    await shop.verified()


async def test_on_a_busy_partition_by_the_next_record(stage, shop):
    with stage.worker("w1") as worker:
        await worker.until_logged("partition.claimed", partition=0)  # a hold's time runs from its command's log time
        await shop.open(shop.sku(0), 1, hold_ms=HOLD_MS)
        hold, clk = await granted(shop, shop.sku(0))
        async with load(shop, shop.sku(0), every_ms=20, size=1):
            expiry = await expiry_of(shop, 0, hold)
        assert HOLD_MS <= expiry.decided.clk - clk <= HOLD_MS + LATE_MS
    report = await shop.verified()
    assert report.outcomes[Outcome.GRANTED] >= 2


async def test_while_nobody_runs_it_waits_and_then_expires_at_once(stage, shop):
    with stage.worker("w1") as worker:
        await worker.until_logged("partition.claimed", partition=0)  # a hold's time runs from its command's log time
        await shop.open(shop.sku(0), 1, hold_ms=HOLD_MS)
        hold, clk = await granted(shop, shop.sku(0))
    await asyncio.sleep(HOLD_MS / 1000)
    with stage.worker("w2") as second:
        await second.until_logged("partition.claimed", partition=0)
        expiry = await expiry_of(shop, 0, hold, within_s=5.0)
        assert expiry.decided.clk - clk >= HOLD_MS
    await shop.verified()


async def test_after_kill_9_of_an_idle_owner_by_a_tick_of_the_standby(stage, shop):
    with stage.worker("w1") as first, stage.worker("w2") as second:
        for worker in (first, second):
            await worker.until_logged("partition.warm", partition=0)
        await shop.open(shop.sku(0), 1, hold_ms=HOLD_MS)
        hold, clk = await granted(shop, shop.sku(0))
        owner = await shop.owned_by(0, "w1", "w2")
        (first if owner == "w1" else second).kill()
        expiry = await expiry_of(shop, 0, hold)
        assert HOLD_MS <= expiry.decided.clk - clk <= HOLD_MS + 2 * LATE_MS
        assert await shop.owner(0) not in {"", owner}
    await shop.verified()
