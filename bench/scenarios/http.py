"""`POST /v1/orders` over HTTP, beside a route of the same server that does nothing.

Each request comes from a customer that the gateway has not seen before. CPU is of the gateway processes, their batchers
and readers included, by what was done: what a gateway turned away (503) counts as nothing done. The bare routes get the
same requests from the same process.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import NamedTuple

import msgspec

from bench.bare import KINDS
from bench.child import Child, child
from bench.http_load import Answer, Task
from bench.latency import Latencies
from bench.scenario import Goal, Plan, Scenario, Session
from bench.system import cpu_s, gateway_service, open_skus, system, violations
from ops.deployment import Deployment
from streams import keys

SKU = "http"
UNITS = 2_000_000_000
CONNECTIONS = 64
REQUESTS = 8_000
PER_S = 500
QUICK = 10
ACCEPTED, CREATED, UNAVAILABLE = 202, 201, 503
GATEWAYS_MAX = 2


class _Arm(NamedTuple):
    """Of a gateway: how many, whether with `Prefer: wait`, how many requests a second (0 = closed loop)."""

    gateways: int
    waits: bool = False
    per_s: int = 0


BARE = {"bare": KINDS[0], "bare-starlette": KINDS[1]}
ARMS = {
    "post": _Arm(1),
    "wait": _Arm(1, waits=True),
    "post-2": _Arm(2),
    "wait-2": _Arm(2, waits=True),
    "wait-500": _Arm(1, waits=True, per_s=PER_S),
}


class _Http:
    def __init__(self, plan: Plan, deployment: Deployment, load: Child, bare: Mapping[str, tuple[str, int]]) -> None:
        self._plan = plan
        self._deployment = deployment
        self._load = load
        self._bare = bare
        self._key = keys.load(deployment.settings.data_dir).token
        self._numbers = count()

    async def measure(self, arm: str) -> Mapping[str, float]:
        """AssertionError if an answer was not the expected one."""
        if arm in self._bare:
            url, pid = self._bare[arm]
            return await self._ask([url], [pid], _Arm(1))
        what = ARMS[arm]
        pids = [self._deployment.supervisor.pid(f"gateway-{number + 1}") for number in range(what.gateways)]
        return await self._ask(self._deployment.urls[: what.gateways], pids, what)

    async def violations(self) -> int:
        return await violations(self._deployment)

    async def _ask(self, urls: list[str], pids: list[int | None], arm: _Arm) -> Mapping[str, float]:
        requests = self._plan.pick(REQUESTS, REQUESTS // QUICK)
        name = f"run-{next(self._numbers)}"
        connections, wait_s = CONNECTIONS * len(urls), 5 if arm.waits else 0
        task = Task(urls, name, SKU, requests, connections, arm.per_s, wait_s, self._key)
        await self._load.ask(msgspec.json.encode(task))
        before_s = sum(map(cpu_s, pids))
        answer = msgspec.json.decode(await self._load.ask(b"go"), type=Answer)
        spent_s = sum(map(cpu_s, pids)) - before_s
        done = answer.statuses.get(CREATED if arm.waits else ACCEPTED, 0)
        shed = answer.statuses.get(UNAVAILABLE, 0)
        if not done or done + shed != requests:
            message = f"{requests} requests got {answer.statuses}"
            raise AssertionError(message)
        return {
            "gateway_cpu_us": spent_s * 1e6 / done,
            "requests_per_s": done / answer.took_s,
            "shed_ratio": shed / requests,
            **Latencies(answer.latencies_s).figures(),
        }


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    async with system(1, GATEWAYS_MAX) as deployment, AsyncExitStack() as stack:
        async with gateway_service(deployment.settings.data_dir, deployment.servers, deployment.topics) as service:
            await open_skus(service, [SKU], 100, UNITS)
        load = await stack.enter_async_context(child("bench.http_load"))
        bare = {}
        for name, kind in BARE.items():
            process = await stack.enter_async_context(child("bench.bare", kind))
            bare[name] = ((await process.answer()).decode().strip(), process.pid)
        session = _Http(plan, deployment, load, bare)
        for arm in SCENARIO.arms:  # once, so that nothing is measured that happens once
            await session.measure(arm)
        yield session


SCENARIO = Scenario(
    name="http",
    question="What does POST /v1/orders cost a gateway, beside a route of the same server that does nothing?",
    arms=(*BARE, *ARMS),
    rounds=5,
    goals=(
        Goal("gateway_cpu_us", "post", most=1.7, of="bare"),
        Goal("p50_ms", "wait-500", most=12.0),
        Goal("p99_ms", "wait-500", most=50.0),
    ),
    session=_session,
)
