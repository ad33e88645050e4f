"""The owner of two partitions is killed, asked to stop, or paused, under load; another worker stands by.

Load is open and steady, so that a request was always due a few milliseconds ago. Each worker has two partitions pinned
to it, which it is given back before the next fault: a pin says who should own, and nothing about who takes over.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from bench.gaps import largest_s, rate, until_next_s
from bench.load import Load, Loader, loading, spread
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import system, violations
from ops.deployment import Deployment
from ops.move import Mover
from ops.survey import PartitionState, survey
from streams.kafka_log import KafkaLog

WORKERS = ("worker-1", "worker-1", "worker-2", "worker-2")
"""By partition."""
RATE_PER_S = 800
"""200 a partition: one every 5 ms."""
FAULTS = {"kill-9": signal.SIGKILL, "sigterm": signal.SIGTERM, "sigstop": signal.SIGSTOP}
BEFORE_S = 1.0
AFTER_S = 3.0
BIN_S = 0.05
FAULTS_APART_S = 16.0
"""Owners that die faster are waited for longer: two takeovers within 30 s double T (W9)."""
SETTLED_S = 1.0
SETTLE_S = 120.0


class _Takeover:
    def __init__(self, deployment: Deployment, loader: Loader, log: KafkaLog) -> None:
        self._deployment = deployment
        self._loader = loader
        self._log = log
        self._mover = Mover(log, deployment.topics)
        self._skus = spread(len(WORKERS))
        self._next_s = 0.0
        self._curves: dict[str, Sequence[tuple[float, float]]] = {}

    async def set_up(self) -> None:
        """On sale, and warm."""
        await self._loader.stock(self._skus)
        await self._loader.load(Load(self._skus, 1.0, rate_per_s=RATE_PER_S))

    async def measure(self, arm: str) -> Mapping[str, float]:
        await asyncio.sleep(self._next_s - time.monotonic())
        await self._settle()
        victim = WORKERS[0]
        own = [partition for partition, owner in enumerate(WORKERS) if owner == victim]
        others = [partition for partition in range(len(WORKERS)) if partition not in own]
        load = Load(self._skus, BEFORE_S + AFTER_S, rate_per_s=RATE_PER_S, moments=True)
        loading = asyncio.create_task(self._loader.load(load))
        await asyncio.sleep(BEFORE_S)
        fault_s = time.monotonic()
        self._next_s = fault_s + FAULTS_APART_S
        self._deployment.supervisor.kill(victim, FAULTS[arm])
        try:
            moments = (await loading).moments
        finally:
            if arm == "sigstop":
                self._deployment.supervisor.kill(victim, signal.SIGCONT)
        end_s = fault_s + AFTER_S
        self._curves = {
            "partitions of the victim": rate(moments, own, fault_s, BIN_S),
            "other partitions": rate(moments, others, fault_s, BIN_S),
        }
        return {
            "next_decision_ms": 1000 * max(until_next_s(moments, one, fault_s) for one in own),
            "largest_gap_ms": 1000 * max(largest_s(moments, one, fault_s, end_s) for one in own),
            "others_gap_ms": 1000 * max(largest_s(moments, one, fault_s, end_s) for one in others),
        }

    def curves(self) -> Mapping[str, Sequence[tuple[float, float]]]:
        return self._curves

    async def violations(self) -> int:
        return await violations(self._deployment)

    async def _settle(self) -> None:
        """Give every worker its partitions, and see that it keeps them. TimeoutError."""
        settled = False
        async with asyncio.timeout(SETTLE_S):
            while not settled:
                strays = await self._strays()
                for stray in strays:
                    log_ms = await self._mover.pin(stray.partition, WORKERS[stray.partition])
                    await self._mover.ask_to_yield(stray, WORKERS[stray.partition], log_ms)
                await asyncio.sleep(SETTLED_S)
                settled = not strays and not await self._strays()

    async def _strays(self) -> list[PartitionState]:
        """Partitions that are not where they should be."""
        states = await survey(self._log, self._deployment.topics)
        return [
            one for one in states if not one.is_owned or one.claim is None or one.claim.worker != WORKERS[one.partition]
        ]


@asynccontextmanager
async def _session(_: Plan) -> AsyncIterator[Session]:
    async with (
        system(len(set(WORKERS)), 0) as deployment,
        loading(deployment) as loader,
        KafkaLog(deployment.servers, "bench") as log,
    ):
        session = _Takeover(deployment, loader, log)
        await session.set_up()
        yield session


SCENARIO = Scenario(
    name="takeover",
    question="How long are decisions away when the owner of a partition is killed, stopped or paused?",
    arms=tuple(FAULTS),
    rounds=10,
    goals=(
        Goal("next_decision_ms", "kill-9", most=800),
        Goal("others_gap_ms", "kill-9", most=150),
        Goal("largest_gap_ms", "sigterm", most=100),
        Goal("next_decision_ms", "sigstop", most=800),
    ),
    session=_session,
)
