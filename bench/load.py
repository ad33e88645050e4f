"""Load on the batcher from a process of its own (bench/load_process.py): what is asked of it, what it answers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec

from bench.child import Child, child
from bench.latency import Latencies
from bench.system import HOLD_MS, Cpu
from ops.deployment import Deployment
from streams.topics import partition_of

T = TypeVar("T")
PRICE = 100
UNITS = 1_000_000_000


class Where(msgspec.Struct, frozen=True):
    """Which system: as the settings of a gateway name it."""

    data_dir: str
    servers: str
    namespace: str


def where_of(deployment: Deployment) -> Where:
    """For a helper process."""
    settings = deployment.settings
    return Where(str(settings.data_dir), deployment.servers, settings.namespace)


class Stock(msgspec.Struct, frozen=True, tag=True):
    """Put SKUs on sale, with `units` each."""

    skus: list[str]
    units: int = UNITS
    price: int = PRICE
    hold_ms: int = HOLD_MS


class Load(msgspec.Struct, frozen=True, tag=True):
    """Reservations of one unit, each of any of the SKUs and by another customer, for so many seconds.

    Closed: `clients` that each wait for a decision before they ask again. Open: `rate_per_s`, each due at its time
    whatever became of those before; with `moments`, when each was due and decided is told too.
    """

    skus: list[str]
    seconds: float
    clients: int = 0
    rate_per_s: float = 0
    max_price: int = -1
    """Below the price, every one is refused."""
    moments: bool = False


class Moment(msgspec.Struct, frozen=True, array_like=True):
    """Of one decision, in seconds of the machine's monotonic clock."""

    due_s: float
    decided_s: float
    partition: int


class Measured(msgspec.Struct, frozen=True):
    """`seconds` from the first request due to the last decision seen, `cpu_s` of the load process in that time.

    `shed`: not taken, because the queue was full or the broker away.
    """

    decided: int
    shed: int
    seconds: float
    cpu_s: float
    latencies: str
    moments: list[Moment] = []


class Loader:
    """The process that makes load on one system."""

    def __init__(self, process: Child, deployment: Deployment) -> None:
        self._process = process
        self._deployment = deployment

    async def stock(self, skus: list[str], hold_ms: int = HOLD_MS) -> None:
        """Put them on sale."""
        await self._ask(Stock(skus, hold_ms=hold_ms), int)

    async def load(self, load: Load) -> Measured:
        """Make it, and wait for its last decision."""
        return await self._ask(load, Measured)

    async def figures(self, load: Load, **others: int) -> Mapping[str, float]:
        """Make it: decisions a second, latencies, CPU a decision of every process, and of `others` by their pids."""
        cpu = Cpu(self._deployment, **others)
        measured = await self.load(load)
        spent = {**cpu.per(measured.decided), "gateway_cpu_us": measured.cpu_s / measured.decided * 1e6}
        latencies = Latencies()
        latencies.merge(measured.latencies)
        shed = {"shed_ratio": measured.shed / (measured.shed + measured.decided)} if load.rate_per_s else {}
        return {"decisions_per_s": measured.decided / measured.seconds, **latencies.figures(), **shed, **spent}

    async def _ask(self, what: Any, kind: type[T]) -> T:
        return msgspec.json.decode(await self._process.ask(msgspec.json.encode(what)), type=kind)


@asynccontextmanager
async def loading(deployment: Deployment) -> AsyncIterator[Loader]:
    """A gateway's service in a process of its own, ready to make load. On the main thread."""
    async with child("bench.load_process", msgspec.json.encode(where_of(deployment)).decode()) as process:
        await process.answer()
        yield Loader(process, deployment)


def spread(partitions: int) -> list[str]:
    """One SKU a partition."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        sku = f"sku-{number}"
        found.setdefault(partition_of(sku, partitions), sku)
        number += 1
    return [found[partition] for partition in range(partitions)]
