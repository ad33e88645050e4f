"""`python -m bench.flat_process`: a partition in this process, made old, then asked what a decision costs. JSON lines.

It is made old as in life, by commands that it decides, only that their log time runs fast.
"""

import asyncio
import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.lines import serve
from bench.lone_machine import LoneMachine
from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.roles import Role
from domain.rules import RULES
from domain.stock import Adjust, Commit, Open, Release, Reserve, SetPolicy
from streams.protocol import Tick
from streams.stock_records import StockCommand

HOT = "hot"
UNITS = 2_000_000_000
HOLD_MS = 900_000
LIMIT = 65_535
BEGIN_MS = 1_750_000_000_000
BATCH = 500
MEASURED_BATCH = 100
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


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
        for orders in self._orders(age.held, BATCH):
            self._reserve(orders)
        with_holds = _resident()
        return Aged(
            (with_skus - before) / max(1, age.skus),
            (with_sales - with_skus) / max(1, age.sold),
            (with_holds - with_sales) / max(1, age.held),
        )

    def cost_us(self, decisions: int) -> float:
        """CPU of a decision, all granted. AssertionError if the pool's counters are not what was decided."""
        lone, granted = self.lone, bytes((Outcome.GRANTED,)) * MEASURED_BATCH
        values = [
            lone.batch(Role.GATEWAY, [self._request(order) for order in orders])
            for orders in self._orders(decisions, MEASURED_BATCH)
        ]
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
            commands: list[StockCommand] = []
            for sku in skus[at : at + BATCH // 3]:
                policy = SetPolicy(sku, 0, 100, "EUR", LIMIT, HOLD_MS, "bench")
                commands += [policy, Adjust(sku, UNITS, "initial", ""), Open(sku, 1)]
            self.lone.decide(self.lone.batch(Role.OPS, commands))

    def _finish(self, how: type[Commit] | type[Release], outcome: Outcome, count: int) -> None:
        for orders in self._orders(count, BATCH):
            self._reserve(orders)
            self.lone.expect(outcome, Role.ORDER, [how(hold_id(order)) for order in orders])

    def _forget(self) -> None:
        """Time passes until nothing that ended is remembered."""
        self.lone.clk += RULES[1].ended_keep_ms + 1
        endings = self.lone.machine.state.endings
        while next(iter(endings), None) is not None:
            self.lone.expect(Outcome.TICKED, Role.WORKER, [Tick()])

    def _reserve(self, orders: list[bytes]) -> None:
        self.lone.clk += 1
        self.lone.expect(Outcome.GRANTED, Role.GATEWAY, [self._request(order) for order in orders])

    def _request(self, order: bytes) -> StockCommand:
        return Reserve(hold_id(order), HOT, order[8:], 1, self.lone.clk + 1_000, order[8:])

    def _orders(self, count: int, size: int) -> Iterator[list[bytes]]:
        """Order ids, each of another customer, `size` at a time."""
        for _ in range(count // size):
            yield [bytes(2) + os.urandom(14) for _ in range(size)]


def _resident() -> int:
    """Bytes, of this process (proc(5), statm)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


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
