"""`python -m bench.waiting`: `POST /v1/orders` with `Prefer: wait` over HTTP, arrivals on a fixed schedule.

Open loop: a request is sent at its time whether or not the ones before were answered, and its latency counts from that
time, so that a slow answer hides nothing (no coordinated omission). One gateway, one worker, one broker, as processes.
"""

import argparse
import asyncio
import json
import sys
import time

import aiohttp
import uvloop

from bench.system import machine, percentile, system, violations
from ops.deployment import Deployment
from streams import keys
from streams.tokens import SCOPE_OPS, mint

SKU = "waiting"
CREATED = 201
WARM_UP_S = 3.0


async def measure(rate: float, seconds: float) -> dict[str, object]:
    """Latencies in milliseconds."""
    async with system(1, 1) as deployment:
        async with aiohttp.ClientSession(deployment.urls[0], connector=aiohttp.TCPConnector(limit=0)) as session:
            await _prepare(deployment, session)
            await _run(deployment, session, rate, WARM_UP_S, "warm")
            latencies = await _run(deployment, session, rate, seconds, "run")
        found = await violations(deployment)
    return {
        "rate_per_s": rate,
        "requests": len(latencies),
        "p50_ms": round(percentile(latencies, 0.5), 2),
        "p99_ms": round(percentile(latencies, 0.99), 2),
        "max_ms": round(latencies[-1], 2),
        "violations": found,
        **machine(),
    }


async def _prepare(deployment: Deployment, session: aiohttp.ClientSession) -> None:
    secrets = keys.load(deployment.settings.data_dir)
    headers = {"Authorization": f"Bearer {mint(secrets.token, 'bench', (SCOPE_OPS,))}"}
    pool = {
        "sku": SKU,
        "price": 100,
        "currency": "EUR",
        "units": 1_000_000,
        "limit_per_customer": 1,
        "hold_seconds": 600,
    }
    for path, body in (("/v1/skus", pool), (f"/v1/skus/{SKU}/open", None)):
        async with session.post(path, json=body, headers=headers) as response:
            response.raise_for_status()


async def _run(
    deployment: Deployment, session: aiohttp.ClientSession, rate: float, seconds: float, name: str
) -> list[float]:
    secrets = keys.load(deployment.settings.data_dir)
    latencies: list[float] = []
    begun = time.perf_counter()
    body = json.dumps({"items": [{"sku": SKU, "quantity": 1}]}).encode()

    async def ask(number: int, due: float) -> None:
        headers = {
            "Authorization": f"Bearer {mint(secrets.token, f'{name}-{number}')}",
            "Idempotency-Key": f"{name}-{number}",
            "Content-Type": "application/json",
            "Prefer": "wait=5",
        }
        async with session.post("/v1/orders", data=body, headers=headers) as response:
            text = await response.text()
        if response.status != CREATED:
            message = f"{response.status}: {text}"
            raise AssertionError(message)
        latencies.append((time.perf_counter() - due) * 1000)

    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(ask(number, due))
    return latencies


def main() -> int:
    """Exit code 1 if the audit found a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    result = uvloop.run(measure(options.rate, options.seconds))
    print(json.dumps(result))
    return 1 if result["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
