"""`python -m bench.recovery_process`: a ledger in this process's memory, folded, put down, and loaded again.

JSON lines. Each is done as a worker does it, on the same classes; only that nothing else is to be done meanwhile.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import IO, cast

import msgspec

from bench.lines import serve
from bench.lone_machine import BEGIN_MS, LOG_ID, ME, LoneMachine, on_sale, orders
from domain.outcomes import Outcome
from domain.roles import Role
from streams import collector, pulse
from streams.machine import PartitionMachine
from tables.generations import Generations
from tables.snapshot import Loading, Picture, check, check_tip
from tables.stock import StockFold

HOT = "hot"
BATCH = 100
HOLD_MS = 900_000
TICK_S = 0.005
QUIET_S = 2.0


class Make(msgspec.Struct, frozen=True, tag=True):
    """A ledger of so many live holds, and so many refusals behind them. Snapshots go into `folder`."""

    held: int
    refused: int
    folder: str


class Do(msgspec.Struct, frozen=True, tag=True):
    """One round of an arm."""

    arm: str


class Partition:
    """A ledger, and the machine that has folded it."""

    def __init__(self, made: Make) -> None:
        self._generations = Generations(Path(made.folder))
        owner = LoneMachine(BEGIN_MS, keeps=True)
        owner.decide(owner.batch(Role.OPS, on_sale(HOT, made.held, HOLD_MS)))
        for outcome, count in ((Outcome.GRANTED, made.held), (Outcome.ALL_HELD, made.refused)):
            for some in orders(count, BATCH):
                owner.clk += 1
                owner.expect(outcome, Role.GATEWAY, owner.requests(HOT, some))
        self._clk = owner.clk
        self._ledger = owner.ledger
        self._decisions = owner.machine.accepted.decisions
        self._totals = owner.machine.state.pools[HOT].totals()
        self._standby = self._folded()

    def fold(self) -> Mapping[str, float]:
        """From nothing to warm."""
        begun = time.perf_counter(), time.process_time()
        self._standby = self._folded()
        fold_s, cpu_s = time.perf_counter() - begun[0], time.process_time() - begun[1]
        return {"fold_s": fold_s, "fold_cpu_s": cpu_s, "decision_cpu_us": cpu_s / self._decisions * 1e6}

    def write(self) -> Mapping[str, float]:
        """The state as shards onto the disk, in one process. AssertionError if it cannot be begun."""
        picture, writing = self._picture(), self._generations.write()
        if writing is None:
            raise AssertionError(self._generations)
        begun_s = time.perf_counter()
        with writing:
            for value in picture.shards():
                writing.put(value)
            writing.finish(picture.meta("bench", 0))
        self._standby.standstill.end()
        return {"write_s": time.perf_counter() - begun_s}

    async def load(self) -> Mapping[str, float]:
        """From the disk, in slices as a worker does. AssertionError if it is another state."""
        begun = time.perf_counter(), time.process_time()
        name, meta = next((one.name, one.meta) for one in self._generations.found() if one.meta)
        machine = PartitionMachine(StockFold(), 0, ME, Random(1), log_id=LOG_ID)
        machine.start()
        check(meta, machine.fold, 0, LOG_ID)
        check_tip(meta, self._ledger[meta.offset])
        loading = Loading(meta, machine.fold)
        with self._generations.reading(name) as reading:
            for number in range(meta.shards):
                loading.add(reading.shard(number))
                await asyncio.sleep(0)
        machine.restore(loading.head(), loading.state)
        load_s, cpu_s = time.perf_counter() - begun[0], time.process_time() - begun[1]
        _expect(machine.state.pools[HOT].totals() == self._totals, "the owner's totals")
        return {"load_s": load_s, "load_cpu_s": cpu_s}

    async def late(self, *, dumping: bool) -> Mapping[str, float]:
        """How late a clock of 5 ms is, the time of a dump or without one: so late is whatever else the process does."""
        late_ms: list[float] = []
        clock = asyncio.ensure_future(pulse.run(lambda late_s: late_ms.append(late_s * 1000), TICK_S))
        begun_s = time.perf_counter()
        if dumping:
            await self._dump()
        else:
            await asyncio.sleep(QUIET_S)
        clock.cancel()
        late_ms.sort()
        figures = {"late_max_ms": late_ms[-1], "late_p99_ms": late_ms[int(len(late_ms) * 0.99)]}
        return figures | ({"dump_s": time.perf_counter() - begun_s} if dumping else {})

    async def _dump(self) -> None:
        """To a process that reads it, as to the one that keeps a standby's snapshot."""
        picture = self._picture()
        sink = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", _SINK], stdin=subprocess.PIPE)
        pipe = cast(IO[bytes], sink.stdin)
        for value in picture.shards():
            await asyncio.to_thread(pipe.write, value)
            _expect(picture.stands(), "a machine that stands still")
        await asyncio.to_thread(pipe.close)
        self._standby.standstill.end()
        await asyncio.to_thread(sink.wait)

    def _picture(self) -> Picture:
        _expect(self._standby.standstill.begin(), "a machine with nothing better to do")
        return Picture(self._standby)

    def _folded(self) -> PartitionMachine:
        machine = PartitionMachine(StockFold(), 0, ME, Random(1), log_id=LOG_ID)
        machine.on_clock(0, self._clk)
        machine.start()
        for offset, value in enumerate(self._ledger):
            machine.on_ledger(offset, self._clk, value)
        machine.on_caught_up(len(self._ledger))
        _expect(machine.state.pools[HOT].totals() == self._totals, "the owner's totals")
        machine.take()
        return machine


def _expect(holds: bool, what: str) -> None:  # noqa: FBT001 - it is what is expected
    if not holds:
        raise AssertionError(what)


_SINK = "import sys\nwhile sys.stdin.buffer.read(1 << 20): pass"


async def _run() -> None:
    made: list[Partition] = []

    async def answer(what: Make | Do) -> object:
        if isinstance(what, Make):
            made[:] = [Partition(what)]
            collector.begin()
            return {}
        (partition,) = made
        if what.arm in {"fold", "write"}:
            return partition.fold() if what.arm == "fold" else partition.write()
        return await (partition.load() if what.arm == "load" else partition.late(dumping=what.arm == "beside"))

    await serve(Make | Do, answer)


def main() -> int:
    """Ends when stdin does."""
    asyncio.run(_run())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
