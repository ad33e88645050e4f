"""The same load on one SKU and on a hundred thousand: contention is what others pay for a hot row."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.load import Load, Loader, loading
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import system, violations
from ops.deployment import Deployment

SKUS = (1, 10, 100, 1_000, 100_000)
ARMS = tuple(f"skus-{count}" for count in SKUS)
CLIENTS = 1_000
WARM_UP_S = 1.0


class _Contention:
    def __init__(self, plan: Plan, deployment: Deployment, loader: Loader) -> None:
        self._seconds = plan.pick(3.0, 0.5)
        self._deployment = deployment
        self._loader = loader

    async def measure(self, arm: str) -> Mapping[str, float]:
        return await self._loader.figures(Load(_skus(arm), self._seconds, clients=CLIENTS))

    async def violations(self) -> int:
        return await violations(self._deployment)


def _skus(arm: str) -> list[str]:
    return [f"{arm}-{number}" for number in range(int(arm.removeprefix("skus-")))]


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    async with system(1, 0) as deployment, loading(deployment) as loader:
        for arm in ARMS:
            await loader.stock(_skus(arm))
        await loader.load(Load(_skus(ARMS[1]), WARM_UP_S, clients=CLIENTS))
        yield _Contention(plan, deployment, loader)


SCENARIO = Scenario(
    name="contention",
    question="Does it matter whether 1,000 waiting clients want one SKU or a hundred thousand?",
    arms=ARMS,
    rounds=5,
    goals=(Goal("decisions_per_s", "skus-1", least=0.8, of="skus-1000"),),
    session=_session,
)
