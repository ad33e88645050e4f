"""Snapshots of real workers on a real broker: a start is the last one and a tail, and never a wrong state."""

import os
import signal
from pathlib import Path

import pytest

from agents.snapshots import NICE
from domain.outcomes import Outcome
from tables.generations import Generations, of_partition
from tests.integration.harness import eventually

pytestmark = pytest.mark.integration

AFTER = 200
UNITS = 300


def generations(stage) -> Generations:
    return of_partition(stage.data_dir, stage.namespace, "stock", 0)


async def sell(shop, first: int, count: int) -> None:
    """Buyers of partition 0, all of them granted."""
    sku = shop.sku(0)
    for at in range(first, first + count, 50):
        answers = await shop.outcomes(0, *(shop.reserve(sku, f"k{number}") for number in range(at, at + 50)))
        assert answers == [Outcome.GRANTED] * 50


async def again(shop, *numbers: int) -> None:
    """Their keys are known: the first answers again."""
    answers = await shop.outcomes(0, *(shop.reserve(shop.sku(0), f"k{number}") for number in numbers))
    assert answers == [Outcome.GRANTED] * len(numbers)


async def test_an_owner_alone_has_one_folded_and_begins_with_it_after_kill_9(stage, shop):
    with stage.worker("w1", snapshot_after=AFTER) as worker:
        await shop.open(shop.sku(0), UNITS)
        await sell(shop, 0, AFTER)
        taken = await worker.until_logged("snapshot.taken", partition=0)
        assert not worker.logged("snapshot.loaded")
        await sell(shop, AFTER, 50)
        worker.kill()
        worker.start()
        loaded = await worker.until_logged("snapshot.loaded", partition=0)
        assert loaded["offset"] == taken["offset"]
        await again(shop, 0, AFTER - 1, AFTER, AFTER + 49)
        answers = await shop.outcomes(0, shop.reserve(shop.sku(0), "big", quantity=UNITS - AFTER - 49))
        assert answers == [Outcome.ALL_HELD]
    report = await shop.verified()
    assert report.outcomes[Outcome.GRANTED] == AFTER + 50


async def test_a_standby_gives_its_state_away_and_goes_on_following(stage, shop):
    with stage.worker("w1", snapshot_after=AFTER) as first:
        await first.until_logged("partition.claimed", partition=0)
        with stage.worker("w2", snapshot_after=AFTER) as second:
            for partition in range(stage.partitions):
                await second.until_logged("partition.warm", partition=partition)
            owner = await shop.owned_by(0, "w1", "w2")
            standby = second if owner == "w1" else first
            await shop.open(shop.sku(0), UNITS)
            await sell(shop, 0, AFTER // 2)
            await standby.until_logged("snapshot.taken", partition=0)
            await sell(shop, AFTER // 2, 50)
            (first if standby is second else second).kill()
            await shop.owned_by(0, standby.name)
            await again(shop, 0, AFTER // 2, AFTER // 2 + 49)
            assert not standby.logged("snapshot.loaded")
    await shop.verified()


def child_of(pid: int) -> int:
    """The one process that it has started, 0 if there is none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else 0


async def test_a_writer_that_is_killed_and_a_file_that_is_damaged_cost_time_and_nothing_else(stage, shop):
    with stage.worker("w1", snapshot_after=AFTER) as worker:
        await shop.open(shop.sku(0), UNITS)
        await sell(shop, 0, AFTER)
        taken = await worker.until_logged("snapshot.taken", partition=0)
        for _ in range(AFTER // 50 + 1):
            await again(shop, *range(50))
        writer = await eventually(lambda: child_of(worker.pid), every_s=0.01)
        assert await eventually(lambda: os.getpriority(os.PRIO_PROCESS, writer), every_s=0.01) == NICE
        os.kill(writer, signal.SIGKILL)
        await worker.until_logged("snapshot.left", partition=0)
        await again(shop, 0, 1)
        assert worker.stop() == 0
        (whole,) = (one for one in generations(stage).found() if one.meta)
        assert whole.meta.offset == taken["offset"]
        for table in (stage.data_dir / "snapshots").glob(f"**/0/{whole.name}/*.sst"):
            os.truncate(table, table.stat().st_size // 2)
        worker.start()
        await worker.until_logged("snapshot.discarded", partition=0)
        await again(shop, 0, AFTER - 1)
        assert not worker.logged("snapshot.loaded")
    await shop.verified()
