"""The owner of two partitions is killed, asked to stop, or paused, under load; another worker stands by.

Load is open and steady, so that a request was always due a few milliseconds ago. Between two rounds the group has to
plan again: a killed member's session lasts 10 s.
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
from ops.survey import survey
from streams.kafka_log import KafkaLog

WORKERS = 2
RATE_PER_S = 800
"""200 a partition: one every 5 ms."""
FAULTS = {"kill-9": signal.SIGKILL, "sigterm": signal.SIGTERM, "sigstop": signal.SIGSTOP}
BEFORE_S = 1.0
AFTER_S = 3.0
BIN_S = 0.05
SETTLED_S = 2.0
SETTLE_S = 120.0


class _Takeover:
    def __init__(self, deployment: Deployment, loader: Loader, log: KafkaLog) -> None:
        self._deployment = deployment
        self._loader = loader
        self._log = log
        self._skus = spread(deployment.partitions)
        self._curves: dict[str, Sequence[tuple[float, float]]] = {}

    async def set_up(self) -> None:
        await self._loader.stock(self._skus)
        await self._loader.load(Load(self._skus, 1.0, rate_per_s=RATE_PER_S))

    async def measure(self, arm: str) -> Mapping[str, float]:
        owners = await self._settled()
        victim = owners[0]
        own = [partition for partition, owner in enumerate(owners) if owner == victim]
        others = [partition for partition in range(len(owners)) if partition not in own]
        load = Load(self._skus, BEFORE_S + AFTER_S, rate_per_s=RATE_PER_S, moments=True)
        loading = asyncio.create_task(self._loader.load(load))
        await asyncio.sleep(BEFORE_S)
        fault_s = time.monotonic()
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

    async def _settled(self) -> list[str]:
        """The owner of each partition, once every worker has some and that stays so. TimeoutError."""
        before: list[str] = []
        async with asyncio.timeout(SETTLE_S):
            while True:
                states = await survey(self._log, self._deployment.topics)
                owners = [state.claim.worker if state.claim and state.is_owned else "" for state in states]
                if owners == before and len(set(owners)) == WORKERS and all(owners):
                    return owners
                before = owners
                await asyncio.sleep(SETTLED_S)


@asynccontextmanager
async def _session(_: Plan) -> AsyncIterator[Session]:
    async with (
        system(WORKERS, 0) as deployment,
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
