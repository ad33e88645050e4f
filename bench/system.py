"""The whole system in a temporary folder, for one bench run: real broker, workers and gateways as processes."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.sql.database import Database
from domain.outcomes import Outcome
from domain.shapes import QUANTITY_MAX
from domain.stock import Adjust, Open, SetPolicy
from gateway.service import Service
from ops import evidence
from ops.audit.log_source import LogSource
from ops.audit.partition import Options
from ops.audit.report import Report
from ops.audit.verify import audit
from ops.deployment import Deployment
from ops.roster import Shape
from settings import GatewaySettings, Shared
from streams import collector, keys
from streams.identity import read_identity
from streams.kafka_log import KafkaLog
from streams.topics import Topics

HOLD_MS = 600_000
OPENED_AT_ONCE = 5_000


@asynccontextmanager
async def system(
    workers: int,
    gateways: int,
    extra: dict[str, object] | None = None,
    *,
    orders: int = 0,
    payments: str = "stand-in://",
    servers: str = "",
    jvm: str = "",
) -> AsyncIterator[Deployment]:
    """Up when entered, gone when left. Must be entered on the main thread (the broker dies with its thread).

    Without owners of `orders` it is stock alone. `payments` as TURNSTILE_PAYMENTS. `servers`: brokers that run already.
    `jvm` as TURNSTILE_BROKER_JVM.
    """
    with tempfile.TemporaryDirectory(prefix="turnstile-bench-") as folder:
        settings = Shared().model_copy(
            update={
                "data_dir": Path(folder),
                "broker": f"kafka://{servers}" if servers else "embedded://",
                "partitions": 4,
                "payments": payments,
                "broker_jvm": jvm,
            }
        )
        shape = Shape(workers, (0,) * gateways, {"rate_per_s": 0, **(extra or {})}, orders=orders)
        deployment = Deployment(settings, shape, lambda _: None, lambda _: None)
        try:
            await deployment.start()
            yield deployment
        finally:
            await deployment.stop()


@asynccontextmanager
async def gateway_service(data_dir: Path, servers: str, topics: Topics) -> AsyncIterator[Service]:
    """One gateway's service in this process, without HTTP: its batcher, its view, its tail."""
    settings = GatewaySettings().model_copy(update={"gateway": "bench", "data_dir": data_dir})
    async with KafkaLog(servers, "bench") as log:
        identity = await read_identity(log, topics)
    service = Service(settings, servers, topics, identity, keys.load(data_dir), keys.load_address(data_dir))
    working = asyncio.create_task(service.run())
    try:
        await service.ready.wait()
        collector.begin()
        yield service
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        service.close()


async def open_skus(service: Service, skus: Sequence[str], price: int, units: int, hold_ms: int = HOLD_MS) -> None:
    """SKUs on sale, `price` in cents; sold out from the start with 0 `units`. AssertionError if one is refused."""
    for first in range(0, len(skus), OPENED_AT_ONCE):
        some = skus[first : first + OPENED_AT_ONCE]
        await _operate(
            service, [SetPolicy(sku, 0, price, "EUR", QUANTITY_MAX, hold_ms, service.keys.customer_id) for sku in some]
        )
        if units:
            await _operate(service, [Adjust(sku, units, "initial", "bench") for sku in some])
        await _operate(service, [Open(sku, 1) for sku in some])


async def _operate(service: Service, commands: Sequence[SetPolicy | Adjust | Open]) -> None:
    loop = asyncio.get_running_loop()
    seats = [service.submit(service.operators, service.partition_of(one.sku), one) for one in commands]
    answers = [loop.create_future() for _ in seats]
    for seat, decided in zip(seats, answers, strict=True):
        seat.decided = decided
    for seat, answer in zip(seats, await asyncio.gather(*answers), strict=True):
        if answer.outcome not in {Outcome.POLICY_SET, Outcome.ADJUSTED, Outcome.OPENED}:
            message = f"{seat.command}: {answer}"
            raise AssertionError(message)


async def audited(deployment: Deployment, *, sql: bool = False) -> Report:
    """The auditor's report on the whole log, and on `sql`."""

    def work() -> Report:
        with LogSource(lambda: KafkaLog(deployment.servers, "bench-audit"), deployment.topics) as source:
            records = None
            if sql:
                database = Database(deployment.settings.sql_url)
                records = evidence.records(database, deployment.topics.order_events.name)
                database.close()
            return audit(source, options=Options(records=records))

    return await asyncio.to_thread(work)


async def violations(deployment: Deployment, *, sql: bool = False) -> int:
    """What the auditor finds: a run with a violation has no speed."""
    return sum((await audited(deployment, sql=sql)).counts.values())


class Cpu:
    """What broker, programs and named helpers have used since this was made."""

    def __init__(self, deployment: Deployment, **helpers: int) -> None:
        self._pids: dict[str, list[int | None]] = {}
        for name in deployment.supervisor.names:
            self._pids.setdefault(name.rstrip("-0123456789").replace("-", "_"), []).append(
                deployment.supervisor.pid(name)
            )
        self._pids |= {"broker": [deployment.broker_pid]} if deployment.broker_pid else {}
        self._pids |= {name: [pid] for name, pid in helpers.items()}
        self._before = self._now()

    def per(self, count: int) -> dict[str, float]:
        """CPU microseconds for each of `count`: `worker_cpu_us` of all workers, `broker_cpu_us`, and so on."""
        return {f"{name}_cpu_us": (now - self._before[name]) / count * 1e6 for name, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {name: sum(cpu_s(pid) for pid in pids) for name, pids in self._pids.items()}


def cpu_s(pid: int | None) -> float:
    """CPU seconds that a process has used, user and system, to the nanosecond (Linux: clock_getcpuclockid(3))."""
    return 0.0 if pid is None else time.clock_gettime(~pid << 3 | 2)
