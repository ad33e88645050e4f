"""What a decision costs with a million SKUs, and with ten million reservations behind it; and what is kept of them.

The machine alone, on a log in memory, each arm in a process of its own: old ones are made old once, young ones are new
in every round. What is kept is measured where nothing was freed before. Every answer is checked as it is measured.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from bench.child import Child, child
from bench.flat_process import Age, Aged, Ask
from bench.scenario import Goal, Plan, Scenario, Session

YOUNG, MANY_SKUS, OLD, KEPT = "young", "skus-1000000", "history-10000000", "kept"
DECISIONS = 100_000
QUICK = 100
"""Times smaller."""


def _ages(quick: bool) -> dict[str, Age]:  # noqa: FBT001 - as the plan's
    share = QUICK if quick else 1
    million = 1_000_000 // share
    return {
        YOUNG: Age(),
        MANY_SKUS: Age(skus=million),
        OLD: Age(sold=5 * million, released=5 * million, held=million),
        KEPT: Age(sold=million, held=million),
    }


class _Flat:
    def __init__(self, plan: Plan, ages: dict[str, Age], processes: dict[str, Child]) -> None:
        self._decisions = plan.pick(DECISIONS, DECISIONS // QUICK)
        self._ages = ages
        self._processes = processes
        self._aged: dict[str, Aged] = {}

    async def grow_old(self) -> None:
        """All but the young one."""
        arms = (MANY_SKUS, OLD, KEPT)
        self._aged = dict(zip(arms, await asyncio.gather(*map(self._age, arms)), strict=True))

    async def measure(self, arm: str) -> Mapping[str, float]:
        if arm == YOUNG:
            await self._age(arm)
        answer = await self._processes[arm].ask(msgspec.json.encode(Ask(self._decisions)))
        figures = {"decision_cpu_us": msgspec.json.decode(answer, type=float)}
        if arm == MANY_SKUS:
            figures["sku_bytes"] = self._aged[arm].sku_bytes
        if arm == KEPT:
            figures |= {"hold_bytes": self._aged[arm].held_bytes, "sold_bytes": self._aged[arm].sold_bytes}
        return figures

    async def violations(self) -> int:
        """The logs were in memory; a wrong answer or counter has failed the round."""
        return 0

    async def _age(self, arm: str) -> Aged:
        return msgspec.json.decode(await self._processes[arm].ask(msgspec.json.encode(self._ages[arm])), type=Aged)


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    ages = _ages(plan.quick)
    async with AsyncExitStack() as stack:
        processes = {arm: await stack.enter_async_context(child("bench.flat_process")) for arm in ages}
        for process in processes.values():
            await process.answer()
        flat = _Flat(plan, ages, processes)
        await flat.grow_old()
        yield flat


SCENARIO = Scenario(
    name="flat",
    question="Does a decision cost more with a million SKUs, or with ten million finished reservations behind it?",
    arms=(YOUNG, MANY_SKUS, OLD, KEPT),
    rounds=5,
    goals=(
        Goal("decision_cpu_us", MANY_SKUS, most=1.3, of=YOUNG),
        Goal("decision_cpu_us", OLD, most=1.3, of=YOUNG),
        Goal("hold_bytes", KEPT, most=500),
        Goal("sold_bytes", KEPT, most=120),
    ),
    session=_session,
)
