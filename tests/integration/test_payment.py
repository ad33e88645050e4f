"""The payment and compensation agents as processes, the provider's stand-in as another, on the real broker."""

import asyncio
import time
from collections import Counter

import pytest

from agents import exits
from domain.orders import Cancel
from domain.roles import Role
from tests.integration.bank import MONEY, Bank
from tests.integration.desk import Desk
from tests.integration.hands import hands
from tests.integration.harness import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def bank_of(stage, log, tmp_path):
    banks = []

    def make(behaviour=""):
        bank = Bank(stage, Desk(stage, log), tmp_path, behaviour)
        bank.stand_in.start()
        banks.append(bank)
        return bank

    yield make
    for bank in banks:
        bank.stand_in.stop()


async def test_hundreds_of_orders_are_paid_at_once_by_a_provider_that_takes_three_seconds(bank_of):
    bank = bank_of("latency_ms=3000")
    born = bank.born(300)
    with bank.orders(), bank.agent("payment", "p1") as payment:
        async with hands(bank.desk, idle=MONEY):
            await payment.until_logged("program.ready")
            began = time.monotonic()
            await bank.open(born)
            await bank.until(Counter(CONFIRMED=300), within_s=60)
            assert time.monotonic() - began < 40  # one after another: half an hour
        assert payment.stop() == exits.STOPPED
    await bank.check_money()
    await bank.desk.verified()


async def test_declined_cards_and_cancelled_orders_leave_no_money_at_the_provider(bank_of):
    bank = bank_of("latency_ms=100")
    good = bank.born(20)
    declined = bank.born(20, "pm_card_visa_chargeDeclined", "declined")
    acting = bank.born(20, "pm_card_threeDSecure2Required", "acting")
    with bank.orders(), bank.agent("payment", "p1") as payment, bank.agent("compensation", "c1") as compensation:
        async with hands(bank.desk, idle=MONEY):
            await asyncio.gather(*(agent.until_logged("program.ready") for agent in (payment, compensation)))
            await bank.open([*good, *declined, *acting])
            await bank.until(Counter(CONFIRMED=20, PAYMENT_PENDING=40), within_s=30)
            for number, one in enumerate([*declined, *acting]):
                key = number.to_bytes(8)
                await bank.desk.send(one.order[1], Cancel(one.order, key, b""), role=Role.OPS)
            await bank.until(Counter(CONFIRMED=20, CANCELLED=40), within_s=30)

            def nothing_open():
                return all(charge.status in {"succeeded", "canceled"} for charge in bank.stand_in.charges())

            await eventually(nothing_open, within_s=20)
    assert len(bank.stand_in.charges()) == 60
    await bank.check_money()


async def test_an_agent_that_is_asked_to_stop_hears_the_answers_to_its_calls_first(bank_of):
    bank = bank_of("latency_ms=2000")
    with bank.orders(), bank.agent("payment", "p1") as payment:
        async with hands(bank.desk, idle=MONEY):
            await payment.until_logged("program.ready")
            await bank.open(bank.born(40))
            await eventually(lambda: len(bank.stand_in.charges()) == 40, what="all calls are there")
            assert payment.stop() == exits.STOPPED
            await eventually(lambda: _captures_asked(bank, 40), every_s=0.5, what="all were authorised")


async def _captures_asked(bank, count):
    return sum(ask.kind == "capture" for event in await bank.events() for ask in event.asks) == count


async def test_a_wrong_url_is_told_at_once(stage):
    with stage.program("p1", "agents", "payment", worker="p1", payments="stripe://") as payment:
        await eventually(lambda: payment.returncode is not None, within_s=20)
        assert payment.returncode == exits.CONFIGURATION
        assert "TURNSTILE_STRIPE_KEY" in payment.tail()
