"""Decisions of two workers while one gives a snapshot of a million live holds away, and where none is taken.

What of that work, and of the process that writes it, is in anybody's latency?
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import msgspec

from bench.growth import Growth
from bench.load import Load, Loader, loading, spread
from bench.preload import Preloader
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import system, violations
from ops.deployment import Deployment
from streams.actions import Action
from streams.kafka_log import KafkaLog

WORKERS = ("worker-1", "worker-2")
TAKING, CALM = "taking", "calm"
HOLDS = 1_000_000
QUICK_HOLDS = 50_000
BATCH = 500
PER_S = 100
"""On a SKU in each partition, so that both workers own some of them and stand by for the others."""
EVERY = 300
"""Decisions of a partition after which its standby gives a snapshot away: more than come while it takes one, or its
owner begins one as well."""
SECONDS = 20.0
"""At least one of the large partition falls into it."""
SETTLES_S = 150.0
PARTITION = 0


class NothingTakenError(RuntimeError):
    """No snapshot fell into the time that was measured."""


class _Line(msgspec.Struct):
    """Of a worker's log, as much as is asked for here."""

    action: str = ""
    partition: int = -1


_line = msgspec.json.Decoder(_Line).decode


class _Stage(NamedTuple):
    """A system, and who asks it."""

    deployment: Deployment
    loader: Loader
    skus: list[str]

    def taken(self) -> int:
        """Snapshots of the large partition that were taken so far."""
        logs = [self.deployment.supervisor.log(name).read_bytes() for name in WORKERS]
        lines = [_line(line) for log in logs for line in log.splitlines() if line.startswith(b"{")]
        return sum(line.action == Action.SNAPSHOT_TAKEN.label and line.partition == PARTITION for line in lines)


class _Snapshot:
    def __init__(self, stages: Mapping[str, _Stage]) -> None:
        self._stages = stages

    async def settle(self) -> None:
        """Go on until one is taken: when the filling made both workers begin one, they leave it for a minute."""
        async with asyncio.timeout(SETTLES_S):
            while not (await self._watch(TAKING))["snapshots"]:
                pass

    async def measure(self, arm: str) -> Mapping[str, float]:
        figures = await self._watch(arm)
        if arm == TAKING and not figures["snapshots"]:
            message = f"no snapshot of partition {PARTITION} was taken in {SECONDS} s"
            raise NothingTakenError(message)
        return figures

    async def _watch(self, arm: str) -> Mapping[str, float]:
        stage = self._stages[arm]
        before = stage.taken()
        figures = await stage.loader.figures(Load(stage.skus, SECONDS, rate_per_s=PER_S))
        return {**figures, "snapshots": stage.taken() - before}

    async def violations(self) -> int:
        return sum([await violations(stage.deployment) for stage in self._stages.values()])


async def _fill(stage: _Stage, holds: int) -> None:
    """Have so many live holds in one partition."""
    deployment = stage.deployment
    topics = deployment.topics
    preloader = Preloader.of(deployment)
    async with KafkaLog(deployment.servers, "bench") as log:
        decided = await Growth.of(log, topics.stock_ledger.name, PARTITION)
        values = preloader.batches(stage.skus[PARTITION], PARTITION, BATCH, holds // BATCH, time.time_ns() // 1_000_000)
        await preloader.append(topics.stock_commands.name, PARTITION, values)
        await decided.reaches(holds // BATCH)


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    holds = plan.pick(HOLDS, QUICK_HOLDS)
    async with AsyncExitStack() as stack:
        stages = {}
        for arm, after in ((CALM, 0), (TAKING, 2 * EVERY)):
            deployment = await stack.enter_async_context(system(len(WORKERS), 0, {"snapshot_after": after}))
            loader = await stack.enter_async_context(loading(deployment))
            stages[arm] = stage = _Stage(deployment, loader, spread(deployment.partitions))
            await loader.stock(stage.skus)
            await _fill(stage, holds)
        scenario = _Snapshot(stages)
        await scenario.settle()
        yield scenario


SCENARIO = Scenario(
    name="snapshot",
    question="Does a decision wait while a standby gives a snapshot away?",
    arms=(CALM, TAKING),
    rounds=5,
    goals=(Goal("p99_ms", TAKING, most=20.0),),
    session=_session,
)
