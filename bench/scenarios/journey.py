"""Orders of one line from request to CONFIRMED, and stock while payments hang: every role, the provider over HTTP.

The provider is the stand-in without limits; its latency is set for each arm.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.journeys import Orderer, ordering
from bench.load import Load, Loader, loading, spread
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import system, violations
from ops.cli.stand_in_client import StandInClient
from ops.deployment import Deployment

PAYMENTS = "stand-in://?reads_per_s=0&writes_per_s=0"
PROVIDER_MS = {"burst-0ms": 0, "burst-120ms": 120, "paced-0ms": 0, "paced-120ms": 120}
"""All orders at once, for their rate; some in a second, for how long one takes."""
PACED = "paced"
PACE_PER_S = 20
ALONE, HANG = "alone", "payments-hang"
HANG_MS = 3_000
"""More than a round takes: payments hang for all of it."""
HANGING_ORDERS = 300
CLIENTS = 200
TOO_CHEAP = 1
"""Refused for its price, so that no order is born of it."""
WARM_UP = 50


class _Journey:
    def __init__(self, plan: Plan, deployment: Deployment, orderer: Orderer, loader: Loader) -> None:
        self._orders = plan.pick(500, 50)
        self._paced = plan.pick(80, 20)
        self._hanging = plan.pick(HANGING_ORDERS, 30)
        self._seconds = plan.pick(2.0, 0.5)
        self._deployment = deployment
        self._orderer = orderer
        self._loader = loader
        self._stand_in = StandInClient(deployment.settings, deployment.payments)
        self._skus = spread(deployment.partitions)

    async def set_up(self) -> None:
        """On sale, and warm."""
        await self._loader.stock(self._skus)
        await self._orderer.ask(self._skus, WARM_UP)
        await self._orderer.finish()

    async def measure(self, arm: str) -> Mapping[str, float]:
        await self._answer_after(PROVIDER_MS.get(arm, HANG_MS))
        if arm in PROVIDER_MS:
            if arm.startswith(PACED):
                return await self._orderer.figures(self._skus[:1], self._paced, per_s=PACE_PER_S)
            return await self._orderer.figures(self._skus[:1], self._orders)
        asked = self._hanging if arm == HANG else 0
        if asked:
            await self._orderer.ask(self._skus[:1], asked, pending=True)
        load = Load(self._skus[1:2], self._seconds, clients=CLIENTS, max_price=TOO_CHEAP)
        figures = await self._loader.figures(load)
        if asked:
            await self._orderer.finish()
        return {name: figures[name] for name in ("decisions_per_s", "p50_ms", "p99_ms")}

    async def violations(self) -> int:
        return await violations(self._deployment, sql=True)

    async def _answer_after(self, latency_ms: int) -> None:
        await asyncio.to_thread(self._stand_in.ask, "PATCH", "behaviour", {"latency_ms": latency_ms})


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    async with (
        system(1, 0, {"calls_per_s": 0}, orders=1, payments=PAYMENTS) as deployment,
        ordering(deployment) as orderer,
        loading(deployment) as loader,
    ):
        session = _Journey(plan, deployment, orderer, loader)
        await session.set_up()
        yield session


SCENARIO = Scenario(
    name="journey",
    question="How many orders a second are confirmed, and does stock notice when payments hang?",
    arms=(*PROVIDER_MS, ALONE, HANG),
    rounds=5,
    goals=(Goal("orders_per_s", "burst-0ms", least=150), Goal("decisions_per_s", HANG, least=0.9, of=ALONE)),
    session=_session,
)
