"""`python -m bench.flat_process`: a partition in this process, made old, then asked what a decision costs. JSON lines.

It is made old as in life, by commands that it decides, only that their log time runs fast.
"""

import asyncio
import gc
import os
import time
from itertools import chain

import msgspec

from bench.lines import serve
from bench.lone_machine import BEGIN_MS, LoneMachine, on_sale, orders
from bench.resident import resident_bytes
from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.roles import Role
from domain.rules import RULES
from domain.stock import Commit, Release
from streams.protocol import Tick

HOT = "hot"
UNITS = 2_000_000_000
HOLD_MS = 900_000
BATCH = 500
MEASURED_BATCH = 100


class Age(msgspec.Struct, frozen=True, tag=True):
    """What is there: SKUs beside the hot one, sales, released reservations (all of them forgotten), live holds."""

    skus: int = 0
    sold: int = 0
    released: int = 0
    held: int = 0


class Aged(msgspec.Struct, frozen=True):
    """Resident bytes, each of one."""

    sku_bytes: float
    sold_bytes: float
    held_bytes: float


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Decide so many requests for the hot SKU; the answer is the CPU of one, in microseconds."""

    decisions: int


class OldPartition:
    """A machine, and how it got old."""

    def __init__(self, age: Age) -> None:
        self.age = age
        self.lone = LoneMachine(BEGIN_MS)
        self._made = 0
        self._open([HOT])

    def grow_old(self) -> Aged:
        """Take the age."""
        age = self.age
        before = _resident()
        self._open([f"sku-{number}" for number in range(age.skus)])
        with_skus = _resident()
        self._finish(Commit, Outcome.COMMITTED, age.sold)
        self._finish(Release, Outcome.RELEASED, age.released)
        self._forget()
        with_sales = _resident()
        for some in orders(age.held, BATCH):
            self._reserve(some)
        with_holds = _resident()
        return Aged(
            (with_skus - before) / max(1, age.skus),
            (with_sales - with_skus) / max(1, age.sold),
            (with_holds - with_sales) / max(1, age.held),
        )

    def cost_us(self, decisions: int) -> float:
        """CPU of a decision, all granted. AssertionError if the pool's counters are not what was decided."""
        lone, granted = self.lone, bytes((Outcome.GRANTED,)) * MEASURED_BATCH
        values = [lone.batch(Role.GATEWAY, lone.requests(HOT, some)) for some in orders(decisions, MEASURED_BATCH)]
        pool = lone.machine.state.pools[HOT]
        held = pool.held
        begun_s = time.process_time()
        outcomes = [lone.decide(value) for value in values]
        took_s = time.process_time() - begun_s
        if outcomes != [granted] * len(values) or pool.held != held + len(values) * MEASURED_BATCH:
            message = f"not all were granted: {pool.totals()}"
            raise AssertionError(message)
        return took_s / (len(values) * MEASURED_BATCH) * 1e6

    def _open(self, skus: list[str]) -> None:
        for at in range(0, len(skus), BATCH // 3):
            some = (on_sale(sku, UNITS, HOLD_MS) for sku in skus[at : at + BATCH // 3])
            self.lone.decide(self.lone.batch(Role.OPS, list(chain.from_iterable(some))))

    def _finish(self, how: type[Commit] | type[Release], outcome: Outcome, count: int) -> None:
        for some in orders(count, BATCH):
            self._reserve(some)
            self.lone.expect(outcome, Role.ORDER, [how(hold_id(order)) for order in some])

    def _forget(self) -> None:
        """Time passes until nothing that ended is remembered."""
        self.lone.clk += RULES[1].ended_keep_ms + 1
        endings = self.lone.machine.state.endings
        while next(iter(endings), None) is not None:
            self.lone.expect(Outcome.TICKED, Role.WORKER, [Tick()])

    def _reserve(self, some: list[bytes]) -> None:
        self.lone.clk += 1
        self.lone.expect(Outcome.GRANTED, Role.GATEWAY, self.lone.requests(HOT, some))


def _resident() -> int:
    """Bytes, of this process, without garbage."""
    gc.collect()
    return resident_bytes(os.getpid())


async def _run() -> None:
    old: list[OldPartition] = []

    async def answer(what: Age | Ask) -> object:
        if isinstance(what, Age):
            gc.disable()
            old[:] = [OldPartition(what)]
            aged = old[0].grow_old()
            gc.freeze()
            return aged
        return old[0].cost_us(what.decisions)

    await serve(Age | Ask, answer)


def main() -> int:
    """Ends when stdin does."""
    asyncio.run(_run())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
