"""The whole system in a temporary folder, for one bench run: real broker, workers and gateways as processes."""

import asyncio
import os
import platform
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from ops.audit.log_source import LogSource
from ops.audit.verify import audit
from ops.deployment import Deployment
from ops.roster import Shape
from settings import Shared
from streams.kafka_log import KafkaLog


@asynccontextmanager
async def system(workers: int, gateways: int, extra: dict[str, object] | None = None) -> AsyncIterator[Deployment]:
    """Up when entered, gone when left. Must be entered on the main thread (the broker dies with its thread)."""
    with tempfile.TemporaryDirectory(prefix="turnstile-bench-") as folder:
        settings = Shared().model_copy(update={"data_dir": Path(folder), "broker": "embedded://", "partitions": 4})
        shape = Shape(workers, (0,) * gateways, {"rate_per_s": 0, **(extra or {})}, orders=0)
        deployment = Deployment(settings, shape, lambda _: None, lambda _: None)
        try:
            await deployment.start()
            yield deployment
        finally:
            await deployment.stop()


async def violations(deployment: Deployment) -> int:
    """What the auditor finds in the whole log: a run with a violation has no speed."""

    def count() -> int:
        with LogSource(lambda: KafkaLog(deployment.servers, "bench-audit"), deployment.topics) as source:
            return sum(audit(source).counts.values())

    return await asyncio.to_thread(count)


def cpu_s(pid: int | None) -> float:
    """CPU seconds that a process has used, user and system (proc(5), /proc/PID/stat fields 14 and 15)."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "aiokafka": version("aiokafka"),
        "msgspec": version("msgspec"),
    }


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` of the values lie; the values are sorted in place."""
    values.sort()
    return values[min(len(values) - 1, int(len(values) * share))]
