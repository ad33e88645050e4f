"""From the batcher of a gateway to the fact that answers, without HTTP: worker, broker and load as processes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.load import Load, Loader, loading, spread
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import system, violations
from ops.deployment import Deployment

JVM = "-XX:TieredStopAtLevel=4 -Xmx1g"
"""A broker that has run for a while, as in production, is optimised: ours is only if it is told to."""
WARM_UP_S = 40.0
"""So long that takes, at the load below."""
CLOSED = {"closed-1000": 1_000, "closed-2000": 2_000}
"""Clients that wait, on one hot SKU."""
OPEN = {
    "open-100": (100, 1),
    "open-20000-on-4": (20_000, 4),
    "open-40000": (40_000, 1),
    "open-60000-on-4": (60_000, 4),
}
"""Requests a second, and on how many SKUs, each in a partition of its own."""


class _EndToEnd:
    def __init__(self, plan: Plan, deployment: Deployment, loader: Loader, skus: list[str]) -> None:
        self._seconds = plan.pick(3.0, 0.5)
        self._deployment = deployment
        self._loader = loader
        self._skus = skus

    async def measure(self, arm: str) -> Mapping[str, float]:
        if arm in CLOSED:
            return await self._loader.figures(Load(self._skus[:1], self._seconds, clients=CLOSED[arm]))
        rate, skus = OPEN[arm]
        return await self._loader.figures(Load(self._skus[:skus], self._seconds, rate_per_s=rate))

    async def violations(self) -> int:
        return await violations(self._deployment)


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    async with system(1, 0, jvm=JVM) as deployment, loading(deployment) as loader:
        skus = spread(deployment.partitions)
        await loader.stock(skus)
        await loader.load(Load(skus, plan.pick(WARM_UP_S, 1.0), rate_per_s=10_000))
        yield _EndToEnd(plan, deployment, loader, skus)


SCENARIO = Scenario(
    name="end-to-end",
    question="How many decisions a second does a gateway see, and how long do they take, without HTTP?",
    arms=(*CLOSED, *OPEN),
    rounds=5,
    goals=(
        Goal("decisions_per_s", "closed-1000", least=100_000),
        Goal("p99_ms", "closed-1000", most=30),
        Goal("p50_ms", "open-100", most=4),
        Goal("p99_ms", "open-20000-on-4", most=20),
    ),
    session=_session,
)
