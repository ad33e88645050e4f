"""Owners of orders that die, pause, yield and are moved: as for stock, and every event once in effect."""

import asyncio
import contextlib
import signal

import pytest

from domain.outcomes import Outcome
from ops.move import Mover
from streams.topics import Ledger
from tests.integration.counter import TAKEN_OVER_MS
from tests.integration.desk import Desk, order_load
from tests.integration.harness import eventually

pytestmark = [pytest.mark.integration, pytest.mark.chaos]


@pytest.fixture
def desk(stage, log):
    return Desk(stage, log)


@contextlib.asynccontextmanager
async def owners(stage, desk, *names: str):
    """Running workers, all of them warm everywhere, and who owns partition 0 first."""
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(stage.program(name, "agents", "order", worker=name)) for name in names}
        for program in started.values():
            for partition in range(stage.partitions):
                await program.until_logged("partition.warm", partition=partition)
        yield started, started[await desk.owned_by(0, *names)]


async def test_after_kill_9_under_load_the_standby_goes_on_and_every_event_counts_once(stage, desk):
    async with owners(stage, desk, "o1", "o2") as (programs, owner):
        (other,) = (name for name in programs if name != owner.name)
        async with order_load(desk, 0, 1) as running:
            await asyncio.sleep(1)
            owner.kill()
            await desk.owned_by(0, other)
            sent = running.sent
            await eventually(lambda: running.sent > sent + 100)
        outcomes = await desk.verified()
    assert outcomes[Outcome.BORN] == 5 * running.sent
    assert 400 <= await desk.gap_ms(0) <= TAKEN_OVER_MS


async def test_a_paused_owner_is_replaced_and_what_it_still_writes_has_no_effect(stage, desk):
    async with owners(stage, desk, "o1", "o2") as (programs, owner):
        (other,) = (name for name in programs if name != owner.name)
        async with order_load(desk, 0) as running:
            await asyncio.sleep(0.5)
            owner.send(signal.SIGSTOP)
            await desk.owned_by(0, other)
            sent = running.sent
            await eventually(lambda: running.sent > sent + 50)
            owner.send(signal.SIGCONT)
            await owner.until_logged("partition.fenced", partition=0)
            await owner.until_logged("partition.warm", partition=0, count=2)
        outcomes = await desk.verified()
    assert outcomes[Outcome.BORN] == 5 * running.sent


async def test_moves_and_a_planned_stop_under_load_leave_no_long_gap(stage, desk, log):
    async with owners(stage, desk, "o1", "o2") as (programs, _):
        mover = Mover(log, stage.topics, Ledger.ORDER)
        async with order_load(desk, 0) as running:
            for _ in range(2):
                present = await desk.owner(0)
                (other,) = (name for name in programs if name != present)
                log_ms = await mover.pin(0, other)
                await mover.ask_to_yield(await mover.state(0), other, log_ms)
                await desk.owned_by(0, other)
                sent = running.sent
                await eventually(lambda sent=sent: running.sent > sent + 30)
            leaving = programs[await desk.owner(0)]
            leaving.send(signal.SIGTERM)
            (other,) = (name for name in programs if name != leaving.name)
            await desk.owned_by(0, other)
            sent = running.sent
            await eventually(lambda: running.sent > sent + 30)
            await eventually(lambda: leaving.returncode is not None, within_s=20)
            assert leaving.returncode == 0
        outcomes = await desk.verified()
        claims = [line for program in programs.values() for line in program.logged("partition.claimed", partition=0)]
        assert [line["reason"] for line in claims if line["reason"].startswith("silence")] == []
    assert outcomes[Outcome.BORN] == 5 * running.sent
    assert await desk.gap_ms(0) <= 400
