"""Owners that die, pause, and come back: the standby goes on within about T, and nothing counts twice (W9, R4)."""

import asyncio
import contextlib
import signal

import pytest

from domain.outcomes import Outcome
from streams.records import CLAIM, decode_ledger
from streams.stock_records import decode_hint
from tests.integration.counter import TAKEN_OVER_MS
from tests.integration.harness import eventually
from tests.integration.shop import load

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

UNITS = 50


@contextlib.asynccontextmanager
async def workers(stage, shop, *names: str):
    """Running workers, all of them warm everywhere, and a SKU on sale in partition 0."""
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(stage.worker(name)) for name in names}
        for program in started.values():
            for partition in range(stage.partitions):
                await program.until_logged("partition.warm", partition=partition)
        await shop.decision(0, await shop.open(shop.sku(0), UNITS))
        yield started


def warm(programs) -> list[str]:
    return [name for name, program in programs.items() if program.returncode is None]


async def test_after_kill_9_of_the_owner_the_standby_decides_soon(stage, shop):
    async with workers(stage, shop, "w1", "w2") as programs:
        owner = await shop.owned_by(0, *programs)
        other = next(name for name in programs if name != owner)
        async with load(shop, shop.sku(0)):
            await asyncio.sleep(1)
            programs[owner].kill()
            await shop.owned_by(0, other)
            await asyncio.sleep(1)
        report = await shop.verified()
        assert programs[other].logged("partition.claimed", partition=0)[-1]["reason"].startswith("silence")
    assert report.outcomes[Outcome.GRANTED] == UNITS
    assert 400 <= await shop.gap_ms(0) <= TAKEN_OVER_MS


async def test_a_paused_owner_is_replaced_and_what_it_still_writes_has_no_effect(stage, shop):
    async with workers(stage, shop, "w1", "w2") as programs:
        owner = await shop.owned_by(0, *programs)
        other = next(name for name in programs if name != owner)
        zombie = programs[owner]
        async with load(shop, shop.sku(0)):
            await asyncio.sleep(0.5)
            zombie.send(signal.SIGSTOP)
            await shop.owned_by(0, other)
            await asyncio.sleep(1)
            zombie.send(signal.SIGCONT)
            await zombie.until_logged("partition.fenced", partition=0)
            await asyncio.sleep(1)
        report = await shop.verified()
        assert zombie.returncode is None
        await zombie.until_logged("partition.warm", partition=0, count=2)
    assert report.outcomes[Outcome.GRANTED] == UNITS


async def test_a_new_owner_hints_again_at_what_was_touched_lately(stage, shop):
    quiet, busy = shop.sku(0, "quiet"), shop.sku(0)
    async with workers(stage, shop, "w1", "w2") as programs:
        owner = await shop.owned_by(0, *programs)
        (other,) = (name for name in programs if name != owner)
        await shop.decision(0, await shop.open(quiet, 7))
        programs[owner].kill()
        await shop.send(0, shop.reserve(busy, "k"))
        await shop.owned_by(0, other)
        claims = [one.offset for one in await shop.ledger(0) if decode_ledger(one.value).kind == CLAIM]

        async def hinted() -> bool:
            records = await shop.raw(stage.topics.stock_pools.name, 0)
            hints = [decode_hint(record.value) for record in records if record.key == quiet.encode()]
            return any(hint.ledger_offset >= claims[-1] and hint.available == 7 for hint in hints)

        await eventually(hinted, what="a hint by the new owner about a pool that it never touched")


async def test_three_workers_agree_on_one_successor_every_time(stage, shop):
    async with workers(stage, shop, "w1", "w2", "w3") as programs:
        async with load(shop, shop.sku(0)):
            for _ in range(2):
                owner = await shop.owned_by(0, *programs)
                await asyncio.sleep(0.5)
                programs[owner].kill()
                await shop.owned_by(0, *(name for name in warm(programs)))
            await asyncio.sleep(1)
        report = await shop.verified()
    assert report.outcomes[Outcome.GRANTED] == UNITS
    figures = report.partitions[0]
    assert figures.epoch == figures.claims
    assert figures.stall_ms <= 2 * TAKEN_OVER_MS


async def test_more_workers_than_partitions_share_the_work_and_spares_take_over(stage, shop):
    names = [f"w{number}" for number in range(6)]
    async with workers(stage, shop, *names) as programs:
        owner = await shop.owned_by(0, *names)
        async with load(shop, shop.sku(0), every_ms=20):
            await asyncio.sleep(0.5)
            programs[owner].kill()
            await shop.owned_by(0, *(name for name in names if name != owner))
            await asyncio.sleep(0.5)
        assert [program.returncode for name, program in programs.items() if name != owner] == [None] * 5
        await shop.verified()
        survivors = [program for name, program in programs.items() if name != owner]

        def planned() -> bool:
            plans = [program.logged("plan.changed") for program in survivors]
            return all(plans) and sorted(number for plan in plans for number in plan[-1]["partitions"]) == [0, 1, 2, 3]

        await eventually(planned, within_s=60, what="the group to plan every partition once, among all")
        assert [program.logged("plan.changed")[-1]["partitions"] for program in survivors].count([]) == 1
