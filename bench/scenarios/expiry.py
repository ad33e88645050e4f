"""Fifty thousand holds that are due at once, while others go on buying in the same partition.

Everything but the latencies is read from the ledger afterwards: when the last of them was due, when it had expired.
"""

import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from bench.latency import Latencies
from bench.load import Load, Loader, Moment, loading
from bench.preload import Preloader
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import system, violations
from ops.deployment import Deployment
from streams.kafka_log import KafkaLog
from streams.records import DECIDED, decode_decided, decode_ledger
from streams.stock_records import decode_totals
from streams.topics import partition_of

HOLDS = 50_000
BATCH = 500
HOLD_MS = 4_000
"""Longer than it takes to grant them all."""
WATCHED_S = 6.0
"""After they are due: they must be gone after 5."""
BUYING = {"idle": 0.0, "open-100": 100.0, "open-1000": 1_000.0, "open-5000": 5_000.0}
"""Requests a second of others, for another SKU."""
CALM = "calm-1000"
"""The same requests, and nothing is due: what the machine itself costs."""
PARTITION = 0


class NotExpiredError(RuntimeError):
    """Some of them are still held after the time that was watched."""


class _Expiry:
    def __init__(self, plan: Plan, deployment: Deployment, loader: Loader, log: KafkaLog, sku: str) -> None:
        self._holds = plan.pick(HOLDS, HOLDS // 10)
        self._deployment = deployment
        self._loader = loader
        self._log = log
        self._sku = sku
        self._numbers = itertools.count()
        self._preloader = Preloader.of(deployment)

    async def measure(self, arm: str) -> Mapping[str, float]:
        if arm == CALM:
            moments = await self._buy(1_000.0)
            return Latencies(one.decided_s - one.due_s for one in moments).figures()
        sku = _sku(f"due-{arm}-{next(self._numbers)}", self._deployment.partitions)
        topics = self._deployment.topics
        await self._loader.stock([sku], HOLD_MS)
        start = await self._log.end(topics.stock_ledger.name, PARTITION)
        values = self._preloader.batches(sku, PARTITION, BATCH, self._holds // BATCH, time.time_ns() // 1_000_000)
        await self._preloader.append(topics.stock_commands.name, PARTITION, values)
        moments = await self._buy(BUYING[arm] or 1.0)
        due_ms, expired_ms = await self._seen(sku, start)
        figures = {"expired_s": (expired_ms - due_ms) / 1000}
        return {**figures, **_latencies(moments, due_ms, expired_ms)} if BUYING[arm] else figures

    async def _buy(self, per_s: float) -> list[Moment]:
        seconds = HOLD_MS / 1000 + WATCHED_S
        return (await self._loader.load(Load([self._sku], seconds, rate_per_s=per_s, moments=True))).moments

    async def violations(self) -> int:
        return await violations(self._deployment)

    async def _seen(self, sku: str, start: int) -> tuple[int, int]:
        """When the last one was due, and when none was held any more, in log time. NotExpiredError."""
        due_ms = 0
        async for entry in self._log.read(self._deployment.topics.stock_ledger.name, PARTITION, start):
            record = decode_ledger(entry.value)
            if record.kind != DECIDED:
                continue
            decided = decode_decided(record.body)
            for totals in decode_totals(decided.details):
                if totals.sku == sku and totals.held == 0 and due_ms:
                    return due_ms, entry.timestamp_ms
                if totals.sku == sku and totals.held == self._holds:
                    due_ms = decided.clk + HOLD_MS
        message = f"{sku} is still held {WATCHED_S:.0f} s after it was due"
        raise NotExpiredError(message)


def _latencies(moments: list[Moment], due_ms: int, expired_ms: int) -> Mapping[str, float]:
    """Of requests that came between the first one due and the last one expired, and at least for a second."""
    ahead_s = time.time() - time.monotonic()
    begun_s, ended_s = (due_ms - 1_000) / 1000 - ahead_s, max(expired_ms, due_ms + 1_000) / 1000 - ahead_s
    return Latencies(one.decided_s - one.due_s for one in moments if begun_s <= one.due_s <= ended_s).figures()


def _sku(name: str, partitions: int) -> str:
    return next(sku for i in itertools.count() if partition_of(sku := f"{name}-{i}", partitions) == PARTITION)


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    async with system(1, 0) as deployment, loading(deployment) as loader, KafkaLog(deployment.servers, "bench") as log:
        sku = _sku("others", deployment.partitions)
        await loader.stock([sku])
        yield _Expiry(plan, deployment, loader, log, sku)


SCENARIO = Scenario(
    name="expiry",
    question="Fifty thousand holds are due at once: how soon are they gone, and who else waits?",
    arms=(*BUYING, CALM),
    rounds=5,
    goals=(
        *(Goal("expired_s", arm, most=5.0) for arm in BUYING),
        *(Goal("p99_ms", arm, most=50.0) for arm, rate in BUYING.items() if rate),
    ),
    session=_session,
)
