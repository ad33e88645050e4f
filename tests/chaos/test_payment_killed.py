"""Payment and compensation agents that die with hundreds of calls at the provider, which loses some of its answers."""

import asyncio
from collections import Counter

import pytest

from tests.integration.bank import MONEY, Bank
from tests.integration.desk import Desk
from tests.integration.hands import hands
from tests.integration.harness import eventually

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

ORDERS = 300
WEATHER = (
    "latency_ms=1000&declines=0.2&answer_lost=0.05&request_lost=0.03&error_after=0.02&unavailable=0.02"
    "&hang=0.02&hang_ms=3000&seed=4"
)


@pytest.fixture
def bank(stage, log, tmp_path):
    bank = Bank(stage, Desk(stage, log), tmp_path, WEATHER)
    bank.stand_in.start()
    yield bank
    bank.stand_in.stop()


@pytest.mark.timeout(240)  # most of it is waiting for what is lost to be asked for again
async def test_kill_9_with_hundreds_of_calls_in_flight_charges_nobody_twice_and_leaves_nothing_open(stage, bank):
    orders = stage.program("orders", "tests.chaos.hasty", worker="orders", metrics_port=-1)
    payment, compensation = bank.agent("payment", "p1"), bank.agent("compensation", "c1")
    with orders, payment, compensation:
        async with hands(bank.desk, idle=MONEY):
            await asyncio.gather(*(agent.until_logged("program.ready") for agent in (payment, compensation)))
            await bank.open(bank.born(ORDERS))

            async def captured():
                return sum(charge.captured > 0 for charge in await asyncio.to_thread(bank.stand_in.charges))

            async def made():
                return len(await asyncio.to_thread(bank.stand_in.charges))

            await eventually(lambda: _over(made, 100), within_s=30, what="authorisations")
            payment.kill()  # most of the others are at the provider, or their answers on their way
            payment.start()
            await eventually(lambda: _over(captured, 50), within_s=60, what="captures")
            payment.kill()
            compensation.kill()
            payment.start()
            compensation.start()

            async def all_final():
                states = Counter((await bank.states()).values())
                return (
                    states if sum(states[state] for state in ("CONFIRMED", "EXPIRED", "CANCELLED")) == ORDERS else None
                )

            states = await eventually(all_final, within_s=90, every_s=1, what="all orders at their end")
    await bank.check_money()
    assert states["CONFIRMED"] > ORDERS / 2
    assert states["EXPIRED"] > 0
    attempts = Counter((charge.order, charge.attempt) for charge in bank.stand_in.charges())
    assert max(attempts.values()) == 1
    await bank.desk.verified()


async def _over(count, least):
    return await count() > least
