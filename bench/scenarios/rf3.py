"""Three brokers, replication factor 3, two replicas in sync at least; one of them is killed under load.

Each round kills another broker with -9 and starts it again afterwards. Whatever it led, every request that was taken
must be decided in the end, or the round fails.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.gaps import largest_s, rate
from bench.load import Load, Loader, loading, spread
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import system, violations
from ops.broker_cluster import BROKERS, EmbeddedCluster
from ops.deployment import Deployment
from settings import Shared

STEADY = {"open-1000": 1_000, "open-20000": 20_000}
KILLED = "broker-killed"
RATE_PER_S = 800
BEFORE_S = 1.0
AFTER_S = 7.0
BIN_S = 0.1
SESSION_MS = 2_000
"""broker.session.timeout.ms of the embedded nodes: so long the controller waits before it elects another leader."""
CAUGHT_UP_S = 5.0
"""After a broker is back, until it is in sync again: it lags by seconds of a small load."""


class _Rf3:
    def __init__(self, plan: Plan, cluster: EmbeddedCluster, deployment: Deployment, loader: Loader) -> None:
        self._seconds = plan.pick(3.0, 1.0)
        self._cluster = cluster
        self._deployment = deployment
        self._loader = loader
        self._skus = spread(deployment.partitions)
        self._kills = 0
        self._curves: dict[str, Sequence[tuple[float, float]]] = {}

    async def set_up(self) -> None:
        """On sale, and warm."""
        await self._loader.stock(self._skus)
        await self._loader.load(Load(self._skus, 1.0, rate_per_s=STEADY["open-1000"]))

    async def measure(self, arm: str) -> Mapping[str, float]:
        self._curves = {}
        if arm == KILLED:
            return await self._kill()
        brokers = {f"broker_{number}": node.pid for number, node in enumerate(self._cluster.nodes, 1)}
        return await self._loader.figures(Load(self._skus, self._seconds, rate_per_s=STEADY[arm]), **brokers)

    def curves(self) -> Mapping[str, Sequence[tuple[float, float]]]:
        return self._curves

    async def violations(self) -> int:
        return await violations(self._deployment)

    async def _kill(self) -> Mapping[str, float]:
        victim = self._cluster.nodes[self._kills % BROKERS]
        self._kills += 1
        load = Load(self._skus, BEFORE_S + AFTER_S, rate_per_s=RATE_PER_S, moments=True)
        loading = asyncio.create_task(self._loader.load(load))
        await asyncio.sleep(BEFORE_S)
        fault_s = time.monotonic()
        victim.kill()
        try:
            measured = await loading
        finally:
            victim.spawn()
            await asyncio.to_thread(victim.wait_ready, BROKERS)
        await asyncio.sleep(CAUGHT_UP_S)
        partitions, moments = range(len(self._skus)), measured.moments
        self._curves = {"decisions a second": rate(moments, partitions, fault_s, BIN_S)}
        gaps_s = [largest_s(moments, one, fault_s, fault_s + AFTER_S) for one in partitions]
        taken = measured.decided + measured.shed
        return {"largest_gap_ms": 1000 * max(gaps_s), "shed_ratio": measured.shed / taken}


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    settings = Shared()
    with tempfile.TemporaryDirectory(prefix="turnstile-bench-") as folder:
        cluster = EmbeddedCluster(Path(folder), settings.cache_dir, mirror=settings.mirror)
        with cluster:
            async with system(2, 0, servers=cluster.address) as deployment, loading(deployment) as loader:
                session = _Rf3(plan, cluster, deployment, loader)
                await session.set_up()
                yield session


SCENARIO = Scenario(
    name="rf3",
    question="What do three replicas cost, and how long are decisions away when a broker is killed?",
    arms=(*STEADY, KILLED),
    rounds=5,
    goals=(Goal("largest_gap_ms", KILLED, most=SESSION_MS + 1_000),),
    session=_session,
)
