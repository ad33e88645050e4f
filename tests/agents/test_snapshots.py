"""A worker's care for snapshots is not its duty: whatever goes wrong there, it goes on."""

import asyncio
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from agents import snapshots as module
from agents.restoring import Archive
from agents.snapshots import Snapshots
from streams import pulse
from streams.effects import Role
from streams.logs import Log
from streams.machine import Member
from streams.snapshot_metrics import SnapshotMetrics
from tests.streams.hand import Hand, Logs

pytestmark = pytest.mark.slow  # processes are started
NEVER_READY = "import time; time.sleep(600)"
READS_NOTHING = "import time; print('ready', flush=True); time.sleep(600)"


@pytest.fixture
def standby(tmp_path):
    """A partition that this worker stands by for, and whose snapshot is due."""
    logs = Logs()
    logs.open_sale(units=100_000, limit=100)
    owner = Hand(logs, "w1").warm().own()
    for buyer in range(3_000):
        logs.reserve(buyer)
    owner.run()
    hand = Hand(logs, "w2").warm()
    hand.read()
    hand.hear()
    partition = SimpleNamespace(number=0, machine=hand.machine, owned=False, flush=lambda: None)
    metrics = SnapshotMetrics(CollectorRegistry())
    me = Member("w2", "w2@1", "bench")
    return Snapshots({0: partition}, Archive(tmp_path, "", "stock", 2), "stock", me, metrics, Log("test")), metrics


def keeper(monkeypatch, program: str) -> list[subprocess.Popen]:
    """What is started in place of the process that keeps a snapshot."""
    started = []

    def spawn(_self, _partition, _source):
        argv = (sys.executable, "-c", program)
        started.append(subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return started[-1]

    monkeypatch.setattr(Snapshots, "_spawn", spawn)
    monkeypatch.setattr(module, "LEAVING_S", 0.5)
    return started


async def left(metrics, count: int = 1) -> None:
    async with asyncio.timeout(20):
        while (metrics.registry.get_sample_value("turnstile_snapshots_total", {"result": "left"}) or 0) < count:
            await asyncio.sleep(0.01)


async def test_no_process_to_be_had_is_no_snapshot_and_the_worker_goes_on(standby, monkeypatch):
    snapshots, metrics = standby
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "AGAIN_S", 0.05)

    def none(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", none)
    running = asyncio.create_task(snapshots.run())
    await left(metrics, 2)
    assert not running.done()
    running.cancel()


@pytest.mark.parametrize("program", [NEVER_READY, READS_NOTHING])
async def test_a_keeper_that_hangs_is_ended_and_the_standby_folds_on(standby, monkeypatch, program):
    snapshots, metrics = standby
    started = keeper(monkeypatch, program)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "GIVEN_S", 1.0)
    running = asyncio.create_task(snapshots.run())
    await left(metrics)
    running.cancel()
    machine = snapshots._partitions[0].machine
    assert machine.role is Role.WARM
    assert not machine.standstill.on
    assert started[0].returncode == -signal.SIGKILL


async def test_a_stop_in_the_middle_holds_nobody_up(standby, monkeypatch):
    snapshots, _ = standby
    started = keeper(monkeypatch, NEVER_READY)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "LEAVING_S", 2.0)
    running = asyncio.create_task(snapshots.run())
    late_s: list[float] = []
    beating = asyncio.create_task(pulse.run(late_s.append))
    async with asyncio.timeout(20):
        while not started:
            await asyncio.sleep(0.01)
    running.cancel()
    began_s = time.monotonic()
    await asyncio.wait([running])
    assert time.monotonic() - began_s < 5
    assert max(late_s) < 1.5  # the loop went on meanwhile
    beating.cancel()
    assert started[0].returncode == -signal.SIGKILL
