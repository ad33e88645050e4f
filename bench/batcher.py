"""`python -m bench.batcher`: decisions through the batcher, without HTTP: waiting clients on one hot SKU.

One gateway's service in this process, one worker, one broker. Each client sends a Reserve, waits for its decision (a
fact of the ledger) and sends the next. Prints one JSON object; the log is audited afterwards, and a violation fails
the run.
"""

import argparse
import asyncio
import json
import os
import sys
import time

import uvloop

from bench.system import cpu_s, gateway_service, machine, open_sku, percentile, system, violations
from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.stock import Reserve
from gateway.service import Service

SKU = "hot"
WARM_UP_S = 2.0
UNITS = 2_000_000_000


async def measure(clients: int, seconds: float, rounds: int) -> dict[str, object]:
    """The round of median speed; latencies in milliseconds, CPU in microseconds a decision over all rounds."""
    async with system(1, 0) as deployment:
        async with gateway_service(deployment) as service:
            await open_sku(service, SKU, 100, UNITS)
            await _round(service, clients, WARM_UP_S)
            pids = {
                "client": os.getpid(),
                "worker": deployment.supervisor.pid("worker-1"),
                "broker": deployment.broker_pid,
            }
            before = {name: cpu_s(pid) for name, pid in pids.items()}
            results = [await _round(service, clients, seconds) for _ in range(rounds)]
            decisions = sum(result["decisions"] for result in results)
            cost = {
                f"{name}_cpu_us": round((cpu_s(pid) - before[name]) / decisions * 1e6, 2) for name, pid in pids.items()
            }
        found = await violations(deployment)
    results.sort(key=lambda result: result["decisions_per_s"])
    median = results[len(results) // 2]
    return {**median, **cost, "clients": clients, "rounds": rounds, "violations": found, **machine()}


async def _round(service: Service, clients: int, seconds: float) -> dict[str, float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    partition = service.partition_of(SKU)
    submit = service.customers.submit
    future = asyncio.get_running_loop().create_future
    granted = int(Outcome.GRANTED)

    async def client() -> None:
        customer = os.urandom(8)
        own = partition.to_bytes(2, "big") + os.urandom(6)
        number = 0
        while (begun := time.perf_counter()) < end:
            number += 1
            hold = hold_id(own + number.to_bytes(8, "big"))
            not_after = service.logtime.now_ms(partition) + 30_000
            seat = submit(partition, Reserve(hold, SKU, customer, 1, not_after, customer))
            seat.decided = future()
            answer = await seat.decided
            if answer.outcome != granted:
                message = f"{answer}"
                raise AssertionError(message)
            latencies.append((time.perf_counter() - begun) * 1000)

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - begun
    return {
        "decisions": len(latencies),
        "decisions_per_s": round(len(latencies) / elapsed),
        "p50_ms": round(percentile(latencies, 0.5), 2),
        "p99_ms": round(percentile(latencies, 0.99), 2),
    }


def main() -> int:
    """Exit code 1 if the audit found a violation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    result = uvloop.run(measure(options.clients, options.seconds, options.rounds))
    print(json.dumps(result))
    return 1 if result["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
