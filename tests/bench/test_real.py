"""Scenarios on a real broker and worker: one that is measured and found out, one that is interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.__main__ import INTERRUPTED
from bench.load import Load, loading, spread
from bench.runner import run
from bench.scenario import Plan
from bench.scenarios.hot_sku import SCENARIO
from streams.kafka_log import KafkaLog

pytestmark = pytest.mark.integration
ARMS = ("granted-100", "refused-100", "floor-granted-100")
END_S = 60.0


async def loaded(deployment):
    """Figures of a load from a process of its own, whose requests are all refused for their price."""
    async with loading(deployment) as loader:
        skus = spread(deployment.partitions)
        await loader.stock(skus)
        return await loader.figures(Load(skus, 0.5, rate_per_s=200, max_price=1))


async def test_a_real_run_is_measured_and_a_record_that_no_owner_wrote_fails_it():
    clean = []

    @asynccontextmanager
    async def planted(plan):
        """The scenario's own session, in whose ledger somebody writes at the end."""
        async with SCENARIO.session(plan) as session:
            audit = session.violations

            async def violations():
                loads.append(await loaded(session._deployment))
                clean.append(await audit())
                topic = session._deployment.topics.stock_ledger.name
                async with KafkaLog(session._deployment.servers) as log:
                    await log.append(topic, 0, b"by nobody")
                return await audit()

            session.violations = violations
            measure = session.measure

            async def measured(arm):
                figures.append(await measure(arm))
                return figures[-1]

            session.measure = measured
            yield session

    figures, loads = [], []
    scenario = SCENARIO._replace(arms=ARMS, goals=(), session=planted)
    result = await run(scenario, Plan(quick=True), 1, lambda *_: None)
    assert clean == [0]
    assert len(figures) == len(ARMS)
    assert all(value > 0 for one in figures for value in one.values())
    assert loads[0]["decisions_per_s"] > 0
    assert {"p50_ms", "p99_ms", "worker_cpu_us", "gateway_cpu_us", "broker_cpu_us", "shed_ratio"} <= loads[0].keys()
    assert (result.failed, result.figures) == (True, {})


def processes_in(folder: Path) -> Iterator[str]:
    """Command lines of processes whose environment or working folder is in this folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "environ").read_bytes() + os.fsencode((process / "cwd").readlink())
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if os.fsencode(folder) in where:
            yield line


def test_an_interrupted_run_leaves_neither_processes_nor_files(tmp_path):
    argv = (sys.executable, "-u", "-m", "bench", "hot-sku", "--quick", "--results", str(tmp_path / "results"))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any("round 1" in line for line in process.stderr)
            running = " ".join(processes_in(tmp_path))
            assert all(word in running for word in ("kafka.Kafka", "agents inventory", "-m bench"))
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=END_S)
        finally:
            process.kill()
    assert (process.returncode, out) == (INTERRUPTED, "")
    deadline = time.monotonic() + END_S
    while left := list(processes_in(tmp_path)):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []
