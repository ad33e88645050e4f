"""Everything of a journey is killed with -9 in the middle of a sale, the provider too, and started again."""

import asyncio
from collections import Counter
from contextlib import ExitStack

import aiohttp
import pytest

from adapters.sql.database import Database
from ops import evidence
from ops.audit.log_source import kafka_source
from ops.audit.partition import Options
from ops.audit.verify import audit
from tests.adapters.stand_in.process import StandInProcess
from tests.integration.harness import eventually
from tests.integration.till import Till, ready

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(300)]

SINGLES = 60
BUNDLES = 20
CANCELS = 6
ORDERS = SINGLES + BUNDLES
WEATHER = (
    "reads_per_s=0&writes_per_s=0&latency_ms=100&declines=0.2&answer_lost=0.05&error_after=0.02&hang=0.02&hang_ms=2000"
    "&webhook_doubled=0.5&webhook_shuffle_ms=500&seed=5"
)
SECRET = "whsec_of_this_test"
ENDS = {"CONFIRMED", "EXPIRED", "CANCELLED", "REFUNDED", "REJECTED"}
AGENTS = ("relay", "payment", "compensation", "confirmation")


class Journeys:
    """The whole system as processes, and shoppers who ask until they are told."""

    def __init__(self, stage, tmp_path) -> None:
        self.stage = stage
        self.gateway = stage.gateway("g1", rate_per_s=0, webhook_secrets=SECRET)
        self.owners = [
            stage.worker("w1", metrics_port=-1),
            stage.program("orders", "tests.chaos.hasty", worker="orders", metrics_port=-1),
        ]
        self.stand_in = StandInProcess(tmp_path, WEATHER, stand_in_webhook_secret=SECRET)
        self.agents = []

    async def start(self, running: ExitStack) -> Till:
        """Gateway first: the provider's webhooks go there."""
        for program in (self.gateway, *self.owners):
            running.enter_context(program)
        address = await ready(self.gateway)
        self.stand_in.set(stand_in_webhook_url=f"{address}/v1/webhooks/stripe")
        self.stand_in.start()
        running.callback(self.stand_in.kill)
        payments = self.stand_in.address.replace("http://", "stand-in+http://")
        for role in AGENTS:
            settings = {"worker": role, "metrics_port": -1, "payments": payments}
            money = {"calls_per_s": 0, "call_timeout_s": 5} if role in {"payment", "compensation"} else {}
            agent = self.stage.program(role, "agents", role, **settings, **money)
            self.agents.append(running.enter_context(agent))
        await asyncio.gather(*(agent.until_logged("program.ready") for agent in self.agents))
        return Till(self.stage, address)

    async def kill_and_start_all(self) -> Till:
        for program in (self.gateway, *self.agents, *self.owners):
            program.kill()
        self.stand_in.kill()
        self.stand_in.start()
        for program in (*self.owners, *self.agents, self.gateway):
            program.start()
        return Till(self.stage, await ready(self.gateway, 2))

    def states(self) -> Counter[str]:
        """Of all orders, in the system of record."""
        return Counter(stored.status for stored in self.records().orders.values())

    def records(self):
        database = Database(f"sqlite:///{self.stage.data_dir / 'turnstile.db'}")
        try:
            return evidence.records(database, self.stage.topics.order_events.name)
        finally:
            database.close()

    def audited(self):
        with kafka_source(self.stage.servers, self.stage.topics) as source:
            book = evidence.book(self.stand_in.charges())
            return audit(source, options=Options(book=book, records=self.records(), replay=True))


async def ask(till: Till, number: int) -> bool:
    """One shopper's order, paid at once: whether the answer came."""
    items = [("shirt", 1)] if number < SINGLES else [("mug", 1), ("shirt", 1)]
    try:
        reply = await till.order(f"c{number}", f"k{number}", *items, wait=0, payment_method="pm_card_visa")
    except aiohttp.ClientError:
        return False
    return reply.status == 202


async def cancel(till: Till, number: int) -> None:
    reply = await till.order(f"c{number}", f"k{number}", ("shirt", 1), wait=0, payment_method="pm_card_visa")
    with_key = {"Idempotency-Key": "away"}
    path = f"/v1/orders/{reply.body['order_id']}/cancel"
    answered = await till.ask("POST", path, customer=f"c{number}", headers=with_key)
    assert answered.status in {200, 202}


async def test_every_order_ends_once_and_book_ledger_and_sql_agree(stage, tmp_path):
    with ExitStack() as running:
        journeys = Journeys(stage, tmp_path)
        async with await journeys.start(running) as till:
            await till.open_sku("shirt", ORDERS, limit=5)
            await till.open_sku("mug", BUNDLES // 2, limit=5)
            asked = await asyncio.gather(*(ask(till, number) for number in range(ORDERS)))
            await asyncio.gather(*(cancel(till, number) for number in range(CANCELS)))
            await eventually(lambda: journeys.states()["CONFIRMED"] >= 10, within_s=60, what="some confirmed")
        assert all(asked)
        assert journeys.states()["CONFIRMED"] < ORDERS - BUNDLES // 2 - CANCELS, "killed too late to mean anything"
        async with await journeys.kill_and_start_all() as till:
            asked = await asyncio.gather(*(ask(till, number) for number in range(ORDERS)))
            assert all(asked), "the same keys again"

            def all_ended():
                states = journeys.states()
                return states if sum(states[end] for end in ENDS) == ORDERS else None

            states = await eventually(all_ended, within_s=120, every_s=0.5, what="all orders at their end")
            report = await eventually(lambda: _settled(journeys), within_s=30, every_s=0.5, what="a settled log")
    assert report.ok, report.violations
    assert report.orders.moving == 0
    assert states["CONFIRMED"] > ORDERS / 3
    assert states["REJECTED"] >= BUNDLES // 2, "half of the bundles find no mug"
    assert report.orders.book_captured - report.orders.book_refunded == 2500 * sum(
        sum(line[2] for line in stored.lines if line[3] == "s") for stored in journeys.records().orders.values()
    )


async def _settled(journeys: Journeys):
    report = await asyncio.to_thread(journeys.audited)
    return report if not report.undecided and not report.orders.moving else None
