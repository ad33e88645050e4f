"""Snapshots and takeovers: neither waits for the other."""

import asyncio

import pytest

from domain.outcomes import Outcome
from tables.generations import of_partition
from tests.integration.harness import eventually
from tests.integration.shop import load

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

AFTER = 100
UNITS = 50
TAKEN_OVER_MS = 3_000
"""As in test_takeover.py: what it takes on an idle machine is for a bench to say."""


async def test_an_owner_that_dies_while_its_standby_writes_is_taken_over_at_once_and_the_snapshot_left(stage, shop):
    with stage.worker("w1", snapshot_after=0) as owner:
        await owner.until_logged("partition.claimed", partition=0)
        await shop.decision(0, await shop.open(shop.sku(0), UNITS))
        slow = ("tests.chaos.slow_snapshots",)
        with stage.program("w2", *slow, worker="w2", snapshot_after=AFTER) as standby:
            await standby.until_logged("partition.warm", partition=0)
            lock = stage.data_dir / "snapshots" / stage.namespace / "stock" / "0" / "lock"
            async with load(shop, shop.sku(0)):
                await eventually(lock.exists, within_s=30, what="a process that keeps the snapshot")
                await asyncio.sleep(1)  # of the ten that it takes to write it
                owner.kill()
                await shop.owned_by(0, "w2")
                await standby.until_logged("snapshot.left", partition=0, reason="a takeover came first")
            report = await shop.verified()
    assert report.outcomes[Outcome.GRANTED] == UNITS
    assert await shop.gap_ms(0) <= TAKEN_OVER_MS
    assert await eventually(lambda: not of_partition(stage.data_dir, stage.namespace, "stock", 0).found())
