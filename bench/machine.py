"""What the figures were measured on."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from ops.jars_lock import read_lock

LIBRARIES = ("aiohttp", "aiokafka", "faust-streaming", "msgspec", "uvicorn", "uvloop")
BUSY_SHARE = 0.5
"""Load for each core from which what others do is seen in the figures."""


def machine() -> dict[str, str | int | float]:
    """Hardware, load and versions, as far as the system tells."""
    kafka = next(jar.version for jar in read_lock() if jar.artifact.startswith("kafka_"))
    return {
        "cores": os.cpu_count() or 0,
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "turnstile": version("turnstile"),
        "kafka": kafka,
        **{library: version(library) for library in LIBRARIES},
    }


def busy() -> str:
    """A warning if others keep this machine busy, else ""."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < BUSY_SHARE * cores:
        return ""
    return f"this machine is busy (load {load:.1f}, {cores} cores): only ratios within one run will mean anything"


def _field(path: str, name: str) -> str:
    """A line `name : value` of a file in /proc; "" if there is none."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
