"""Orders from a process of its own (bench/journeys_process.py): what is asked of it, what it answers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from bench.child import Child, child
from bench.latency import Latencies
from bench.load import where_of
from bench.system import Cpu
from ops.deployment import Deployment


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Ask for so many orders of one line, and wait until all are in the log, or (`pending`) ask for money.

    At once, or `per_s`, each at its time.
    """

    skus: list[str]
    orders: int
    pending: bool = False
    per_s: float = 0


class Finish(msgspec.Struct, frozen=True, tag=True):
    """Wait until all that was asked for since the last Finish is CONFIRMED."""


class Journeyed(msgspec.Struct, frozen=True):
    """`seconds` from the first request to the last CONFIRMED; `latencies` of single orders, from when they were due."""

    orders: int
    seconds: float
    latencies: str


class Orderer:
    """The process that orders."""

    def __init__(self, process: Child, deployment: Deployment) -> None:
        self._process = process
        self._deployment = deployment

    async def ask(self, skus: list[str], orders: int, *, pending: bool = False, per_s: float = 0) -> None:
        """Ask for orders."""
        await self._process.ask(msgspec.json.encode(Ask(skus, orders, pending, per_s)))

    async def finish(self) -> Journeyed:
        """Wait for their end."""
        return msgspec.json.decode(await self._process.ask(msgspec.json.encode(Finish())), type=Journeyed)

    async def figures(self, skus: list[str], orders: int, *, per_s: float = 0) -> Mapping[str, float]:
        """Order, at once or `per_s`, wait for their end: rate (at once), latencies, CPU of every process an order."""
        cpu = Cpu(self._deployment, gateway=self._process.pid)
        await self.ask(skus, orders, per_s=per_s)
        done = await self.finish()
        spent = cpu.per(done.orders)
        latencies = Latencies()
        latencies.merge(done.latencies)
        figures = latencies.figures()
        rate = {} if per_s else {"orders_per_s": done.orders / done.seconds}
        return {**rate, "p50_ms": figures["p50_ms"], "p99_ms": figures["p99_ms"], **spent}


@asynccontextmanager
async def ordering(deployment: Deployment) -> AsyncIterator[Orderer]:
    """Ready to order. On the main thread."""
    async with child("bench.journeys_process", msgspec.json.encode(where_of(deployment)).decode()) as process:
        await process.answer()
        yield Orderer(process, deployment)
