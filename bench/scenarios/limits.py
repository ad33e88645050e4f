"""Orders of one line at a provider with Stripe's live limits: 100 writes a second, and 120 ms for each answer.

An order is two writes, an authorisation and a capture, and the payment agent takes 85 % of what is allowed,
compensation the rest: so it comes to 42.5 orders a second at best, if nothing but the limit holds them up. Ordered at
once they queue; below the limit they take as long as they would without one.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.journeys import Orderer, ordering
from bench.load import loading, spread
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import system, violations
from ops.deployment import Deployment

PAYMENTS = "stand-in://?latency_ms=120"
CALLS_PER_S = 100
BURST, PACED = "burst-120ms", "paced-120ms"
PACE_PER_S = 30.0
WARM_UP = 20


class _Limits:
    def __init__(self, plan: Plan, deployment: Deployment, orderer: Orderer, skus: list[str]) -> None:
        self._orders = plan.pick(800, 80)
        self._paced = plan.pick(300, 30)
        self._deployment = deployment
        self._orderer = orderer
        self._skus = skus

    async def measure(self, arm: str) -> Mapping[str, float]:
        if arm == PACED:
            return await self._orderer.figures(self._skus, self._paced, per_s=PACE_PER_S)
        return await self._orderer.figures(self._skus, self._orders)

    async def violations(self) -> int:
        return await violations(self._deployment, sql=True)


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    async with (
        system(1, 0, {"calls_per_s": CALLS_PER_S}, orders=1, payments=PAYMENTS) as deployment,
        ordering(deployment) as orderer,
        loading(deployment) as loader,
    ):
        skus = spread(deployment.partitions)[:1]
        await loader.stock(skus)
        await orderer.ask(skus, WARM_UP)
        await orderer.finish()
        yield _Limits(plan, deployment, orderer, skus)


SCENARIO = Scenario(
    name="limits",
    question="How many orders a second are confirmed at a provider that allows 100 writes a second?",
    arms=(BURST, PACED),
    rounds=5,
    goals=(Goal("orders_per_s", BURST, least=40),),
    session=_session,
)
