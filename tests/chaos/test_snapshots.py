"""Snapshots and takeovers: neither waits for the other."""

import pytest

from domain.outcomes import Outcome
from tables.generations import of_partition
from tests.integration.counter import TAKEN_OVER_MS
from tests.integration.harness import eventually
from tests.integration.shop import load

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

AFTER = 100
UNITS = 50


async def test_an_owner_that_dies_while_its_standby_writes_is_taken_over_at_once_and_the_snapshot_left(stage, shop):
    with stage.worker("w1", snapshot_after=0) as owner:
        await owner.until_logged("partition.claimed", partition=0)
        await shop.decision(0, await shop.open(shop.sku(0), UNITS))
        slow = ("tests.chaos.slow_snapshots",)
        with stage.program("w2", *slow, worker="w2", snapshot_after=AFTER) as standby:
            await standby.until_logged("partition.warm", partition=0)
            async with load(shop, shop.sku(0)):
                await standby.until_logged("shard.begun")  # the first of ten, a second each
                owner.kill()
                await shop.owned_by(0, "w2")
                await standby.until_logged("snapshot.left", partition=0, reason="a takeover came first")
            report = await shop.verified()
    assert report.outcomes[Outcome.GRANTED] == UNITS
    assert await shop.gap_ms(0) <= TAKEN_OVER_MS
    await eventually(lambda: not of_partition(stage.data_dir, stage.namespace, "stock", 0).found())
