"""The worker alone: commands for one SKU that lie ready, decided by a real worker on a real broker.

The worker is stopped (SIGSTOP) while its topic is loaded, so that loading costs it nothing. CPU is of all that it does
until every fact is published. Its rate counts from the first decisions that are seen, so that waking up is left out.
The floor (bench/floor.py) does the same with records of the same size, and decides nothing.
"""

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import NamedTuple

import msgspec

from bench.child import child
from bench.floor import Task
from bench.growth import Growth
from bench.preload import Preloader
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import audited, cpu_s, gateway_service, open_skus, system
from domain.outcomes import Outcome
from ops.deployment import Deployment
from ops.topics_admin import TopicsAdmin
from ops.topics_apply import configs
from streams.kafka_log import KafkaLog
from streams.topics import Topic, partition_of

COMMANDS = {1: 5_000, 10: 40_000, 100: 100_000, 500: 100_000}
"""By size of the batches: about a second of work each."""
QUICK = 10
GRANTED, REFUSED = "granted", "refused"
ANSWERS = {GRANTED: Outcome.GRANTED, REFUSED: Outcome.SOLD_OUT}
UNITS = 2_000_000_000
WORKER = "worker-1"
FLOOR = "floor-"
SEEN_SHARE = 0.05
FLOOR_TOPICS = tuple(Topic(f"bench.{name}", -1) for name in ("commands", "ledger", "events"))


class _Arm(NamedTuple):
    """Granted or sold out, batches of `size`."""

    kind: str
    size: int
    floor: bool


class _HotSku:
    def __init__(self, plan: Plan, deployment: Deployment, log: KafkaLog) -> None:
        self._plan = plan
        self._deployment = deployment
        self._log = log
        self._preloader = Preloader.of(deployment)
        self._asked = dict.fromkeys(ANSWERS.values(), 0)

    async def measure(self, arm: str) -> Mapping[str, float]:
        what = _parse(arm)
        return await (self._floor(what) if what.floor else self._decide(what))

    async def violations(self) -> int:
        """AssertionError if the answers were not those that were to be measured."""
        report = await audited(self._deployment)
        answers = {outcome: report.outcomes.get(outcome, 0) for outcome in ANSWERS.values()}
        if answers != self._asked:
            message = f"asked were {self._asked}, answered {answers}"
            raise AssertionError(message)
        return sum(report.counts.values())

    async def _decide(self, arm: _Arm) -> Mapping[str, float]:
        topics, count = self._deployment.topics, self._records(arm.size)
        partition = partition_of(arm.kind, self._deployment.partitions)
        pids = (self._deployment.supervisor.pid(WORKER), self._deployment.broker_pid)
        decided = await Growth.of(self._log, topics.stock_ledger.name, partition)
        published = await Growth.of(self._log, topics.stock_events.name, partition)
        self._asked[ANSWERS[arm.kind]] += count * arm.size
        with _stopped(pids[0]):
            await self._load(topics.stock_commands.name, partition, arm)
            cpu = [cpu_s(pid) for pid in pids]
        before = await decided.reaches(max(1, int(count * SEEN_SHARE)))
        begun_s = time.perf_counter()
        after = await decided.reaches(count)
        took_s = time.perf_counter() - begun_s
        await published.reaches(count)
        spent_us = [(cpu_s(pid) - one) * 1e6 for pid, one in zip(pids, cpu, strict=True)]
        return _figures((after - before) * arm.size / took_s, spent_us, count * arm.size)

    async def _floor(self, arm: _Arm) -> Mapping[str, float]:
        commands, ledger, events = (topic.name for topic in FLOOR_TOPICS)
        partition, count = int(arm.kind == GRANTED), self._records(arm.size)
        if not await self._log.end(commands, partition):
            await self._load(commands, partition, arm)
        task = Task(self._deployment.servers, commands, ledger, events, partition, count, arm.kind == GRANTED)
        broker_s = cpu_s(self._deployment.broker_pid)
        async with child("bench.floor", msgspec.json.encode(task).decode()) as process:
            took = msgspec.json.decode(await process.answer(), type=dict[str, float])
        spent_us = [took["cpu_s"] * 1e6, (cpu_s(self._deployment.broker_pid) - broker_s) * 1e6]
        return _figures(count * arm.size / took["wall_s"], spent_us, count * arm.size)

    async def _load(self, topic: str, partition: int, arm: _Arm) -> None:
        now_ms, count = time.time_ns() // 1_000_000, self._records(arm.size)
        values = self._preloader.batches(arm.kind, partition, arm.size, count, now_ms)
        await self._preloader.append(topic, partition, values)

    def _records(self, size: int) -> int:
        return COMMANDS[size] // size // self._plan.pick(1, QUICK)


def _figures(per_s: float, spent_us: list[float], decisions: int) -> Mapping[str, float]:
    worker_us, broker_us = spent_us
    return {
        "decisions_per_s": per_s,
        "worker_cpu_us": worker_us / decisions,
        "broker_cpu_us": broker_us / decisions,
    }


@contextmanager
def _stopped(pid: int | None) -> Iterator[None]:
    """ProcessLookupError if it does not run."""
    if pid is None:
        raise ProcessLookupError(WORKER)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _parse(arm: str) -> _Arm:
    """`floor-granted-100`."""
    kind, size = arm.removeprefix(FLOOR).split("-")
    return _Arm(kind, int(size), arm.startswith(FLOOR))


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    async with system(1, 0) as deployment:
        async with gateway_service(deployment.settings.data_dir, deployment.servers, deployment.topics) as service:
            await open_skus(service, [GRANTED], 100, UNITS)
            await open_skus(service, [REFUSED], 100, 0)
        async with TopicsAdmin(deployment.servers) as admin:
            await admin.create({topic.name: configs(topic, 1) for topic in FLOOR_TOPICS}, deployment.partitions, 1)
        async with KafkaLog(deployment.servers, "bench") as log:
            yield _HotSku(plan, deployment, log)


SCENARIO = Scenario(
    name="hot-sku",
    question="What does a decision cost the worker alone, one hot SKU, beside a floor that decides nothing?",
    arms=(
        *(f"{GRANTED}-{size}" for size in COMMANDS),
        *(f"{REFUSED}-{size}" for size in COMMANDS),
        f"{FLOOR}{GRANTED}-100",
        f"{FLOOR}{REFUSED}-100",
    ),
    rounds=5,
    goals=(
        Goal("worker_cpu_us", f"{GRANTED}-100", most=5.0),
        Goal("worker_cpu_us", f"{REFUSED}-100", most=3.0),
        Goal("decisions_per_s", f"{GRANTED}-100", least=0.33, of=f"{FLOOR}{GRANTED}-100"),
        Goal("decisions_per_s", f"{REFUSED}-100", least=0.5, of=f"{FLOOR}{REFUSED}-100"),
    ),
    session=_session,
)
