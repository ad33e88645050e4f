"""`python -m bench.soak [--minutes N] [--per-s N] [--seed N]`: a long day in small, at half of what can be decided.

Refusals at half capacity (or --per-s), 400 grants a second whose holds end after 5 s, buyers over HTTP beside, and a
fault a minute (ten in a shorter run). Stock alone: what is sold or ordered is kept for good, so its memory is no
measure. Ended holds leave memory after 15 minutes: from then on resident sizes must stand still, and in the last
quarter nothing is hit whose memory counts. In a run that is over before, they are told and not judged.

Passed: no process that lived through the last two tenths is over 5 % larger in the last one, the lag is back to 0,
everything that was measured got its decision, and the auditor finds nothing (it takes as long as the run at 20,000 a
second). One JSON line; exit code 1 if not passed.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from typing import NamedTuple

import aiohttp
import uvloop
from aiokafka.errors import KafkaError

from bench.crowd import Crowd
from bench.faults import draw, inject
from bench.latency import Latencies
from bench.machine import machine
from bench.resident import Growth, Resident
from bench.system import audited, gateway_service, open_skus, system
from ops.audit.report import Report
from ops.deployment import Deployment
from ops.survey import survey
from streams import keys
from streams.kafka_log import KafkaLog
from streams.log import StalledError
from streams.logs import set_up_logging
from streams.tokens import mint

SOLD_OUT, ON_SALE = "sold-out", "on-sale"
HOLD_MS = 5_000
UNITS = 10_000
GRANTS_PER_S = 400.0
HTTP_PER_S = 20.0
CAPACITY_S = 5.0
FAULT_S = 60.0
FAULTS_MIN = 10
CALM_SHARE = 0.75
"""Of the time; then the mild faults begin."""
SAMPLE_S = 1.0
SETTLED_S = 120.0
GROWTH_MAX = 1.05
MINUTES = (1, 120)
FULL_MINUTES = 19
"""From then on the last two tenths begin after ended holds have begun to leave: 15 minutes."""


class Wanted(NamedTuple):
    """What a run is to be. `per_s` 0: half of what can be decided."""

    minutes: float
    per_s: float
    seed: int


class Told(NamedTuple):
    """What a run has shown."""

    faults: list[str]
    capacity_per_s: float
    minutes: float
    crowd: Crowd
    statuses: Counter[str]
    growth: dict[str, Growth]
    lag: int
    report: Report


class Soak:
    """One run."""

    def __init__(self, deployment: Deployment, crowd: Crowd, log: KafkaLog, wanted: Wanted) -> None:
        self._deployment = deployment
        self._crowd = crowd
        self._log = log
        self._wanted = wanted
        self._seconds = seconds = wanted.minutes * 60
        self._every_s = min(FAULT_S, seconds / FAULTS_MIN)
        self._faults = draw(wanted.seed, int(CALM_SHARE * seconds / self._every_s))
        self._resident = Resident(seconds)
        self._statuses: Counter[str] = Counter()
        self._hit: list[str] = []

    async def run(self, hot: int) -> Told:
        """Everything beside each other for the time; then wait until nothing lags. `hot`: the partition that is hit."""
        capacity = await self._crowd.capacity_per_s(SOLD_OUT, CAPACITY_S)
        per_s = self._wanted.per_s or capacity / 2
        _say(f"{capacity:,.0f} decisions/s; {per_s:,.0f} and {GRANTS_PER_S:.0f} grants/s for {self._seconds:.0f} s")
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(one) for one in (self._sample(), self._inject(hot), self._shop())]
            await self._crowd.buy({SOLD_OUT: per_s, ON_SALE: GRANTS_PER_S}, self._seconds)
            for one in beside:
                one.cancel()
        lag = await self._settle()
        _say("auditing")
        report = await audited(self._deployment)
        return Told(
            self._hit, capacity, self._wanted.minutes, self._crowd, self._statuses, self._resident.growth(), lag, report
        )

    async def _sample(self) -> None:
        began_s = time.monotonic()
        while True:
            supervisor = self._deployment.supervisor
            pids: dict[str, int | None] = {name: supervisor.pid(name) for name in supervisor.names}
            pids |= {"broker": self._deployment.broker_pid, "gateway here": os.getpid()}
            self._resident.see(time.monotonic() - began_s, pids)
            await asyncio.sleep(SAMPLE_S)

    async def _inject(self, hot: int) -> None:
        began_s = time.monotonic()
        for number, fault in enumerate(self._faults):
            await asyncio.sleep((number + 0.5) * self._every_s - (time.monotonic() - began_s))
            try:
                victim = await inject(fault, self._deployment, self._log, hot)
            except (KafkaError, StalledError) as error:  # the broker is not back yet to say who owns it
                victim = f"not done: {error!r}"
            self._hit.append(f"{fault}: {victim}")
            _say(f"{time.monotonic() - began_s:5.0f} s  {self._hit[-1]}")

    async def _shop(self) -> None:
        """Over HTTP, at both gateways in turn; one that is down is asked all the same."""
        secret = keys.load(self._deployment.settings.data_dir).token
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            number = 0
            while True:
                number += 1
                url = self._deployment.urls[number % len(self._deployment.urls)]
                group.create_task(self._buy(session, url, f"shopper-{number}", secret))
                await asyncio.sleep(1 / HTTP_PER_S)

    async def _buy(self, session: aiohttp.ClientSession, url: str, name: str, secret: bytes) -> None:
        headers = {"Authorization": f"Bearer {mint(secret, name)}", "Idempotency-Key": "k", "Prefer": "wait=2"}
        body = {"items": [{"sku": ON_SALE, "quantity": 1}]}
        try:
            async with session.post(f"{url}/v1/orders", json=body, headers=headers) as response:
                await response.read()
                self._statuses[str(response.status)] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self._statuses[type(error).__name__] += 1

    async def _settle(self) -> int:
        """The lag that is left when everything should be decided."""
        end_s = time.monotonic() + SETTLED_S
        while True:
            lag = sum(one.lag for one in await survey(self._log, self._deployment.topics))
            if time.monotonic() > end_s or not (lag or self._crowd.waiting):
                return lag
            await asyncio.sleep(SAMPLE_S)


def verdict(told: Told) -> dict[str, bool]:
    """What must hold, by name."""
    stands = bool(told.growth) and all(one.ratio <= GROWTH_MAX for one in told.growth.values())
    memory = {"memory_stands_still": stands} if told.minutes >= FULL_MINUTES else {}
    return {
        **memory,
        "lag_is_0": told.lag == 0,
        "everything_is_decided": told.crowd.waiting == 0,
        "the_auditor_finds_nothing": told.report.ok,
    }


async def soak(wanted: Wanted) -> dict[str, object]:
    """The line of a run."""
    async with system(2, 2) as deployment:
        folder, servers, topics = deployment.settings.data_dir, deployment.servers, deployment.topics
        async with gateway_service(folder, servers, topics) as service, KafkaLog(servers, "soak") as log:
            await open_skus(service, [SOLD_OUT], 100, 0)
            await open_skus(service, [ON_SALE], 100, UNITS, HOLD_MS)
            run = Soak(deployment, Crowd(service), log, wanted)
            told = await run.run(service.partition_of(SOLD_OUT))
    crowd, passed = told.crowd, verdict(told)
    return {
        "soak": "passed" if all(passed.values()) else "failed",
        **wanted._asdict(),
        **passed,
        "resident": {name: growth._asdict() for name, growth in told.growth.items()},
        "capacity_per_s": round(told.capacity_per_s),
        "asked": dict(crowd.asked),
        "turned_away": crowd.turned_away,
        "outcomes_of_measured": dict(crowd.outcomes),
        **Latencies(crowd.waits_s).figures(),
        "http": dict(sorted(told.statuses.items())),
        "faults": told.faults,
        "violations": dict(told.report.counts),
        "stall_ms": max(partition.stall_ms for partition in told.report.partitions),
        **machine(),
    }


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def main() -> int:
    """Exit code 1 if it did not pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--per-s", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    set_up_logging("error", "console", program="soak")
    if not MINUTES[0] <= options.minutes <= MINUTES[1]:
        parser.error(f"--minutes must be {MINUTES[0]} to {MINUTES[1]}")
    told = uvloop.run(soak(Wanted(options.minutes, options.per_s, options.seed)))
    print(json.dumps(told))
    return 0 if told["soak"] == "passed" else 1


if __name__ == "__main__":
    sys.exit(main())
