"""Snapshots and takeovers: neither waits for the other."""

import asyncio
import contextlib

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
    with contextlib.ExitStack() as stack:
        slow = ("tests.chaos.slow_snapshots",)
        programs = {
            name: stack.enter_context(stage.program(name, *slow, worker=name, snapshot_after=AFTER))
            for name in ("w1", "w2")
        }
        for program in programs.values():
            for partition in range(stage.partitions):
                await program.until_logged("partition.warm", partition=partition)
        await shop.decision(0, await shop.open(shop.sku(0), UNITS))
        owner = await shop.owned_by(0, *programs)
        (other,) = programs.keys() - {owner}
        lock = stage.data_dir / "snapshots" / stage.namespace / "stock" / "0" / "lock"
        async with load(shop, shop.sku(0)):
            await eventually(lock.exists, within_s=30, what="a process that keeps the snapshot")
            await asyncio.sleep(1)  # of the ten that it takes to write it
            programs[owner].kill()
            await shop.owned_by(0, other)
            left = await programs[other].until_logged("snapshot.left", partition=0)
            assert left["reason"] == "a takeover came first"
        report = await shop.verified()
    assert report.outcomes[Outcome.GRANTED] == UNITS
    assert await shop.gap_ms(0) <= TAKEN_OVER_MS
    assert of_partition(stage.data_dir, stage.namespace, "stock", 0).found() == []
