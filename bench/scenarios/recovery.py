"""What a start costs: folding a ledger, or loading a snapshot; and what taking one costs whoever works beside it.

On a ledger in memory, two million decisions in batches of 100: a million live holds, and as many refusals behind them.
The last two arms hold a clock of 5 ms against the event loop, without a dump and with one: later than that no decision
of another partition of this worker can be for it.
"""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from bench.child import Child, child
from bench.recovery_process import Do, Make
from bench.scenario import Goal, Plan, Scenario, Session

FOLD, WRITE, LOAD, ALONE, BESIDE = "fold", "write", "load", "alone", "beside"
HOLDS = 1_000_000
QUICK_HOLDS = 20_000


class _Recovery:
    def __init__(self, process: Child) -> None:
        self._process = process
        self._written = False

    async def measure(self, arm: str) -> Mapping[str, float]:
        if arm == LOAD and not self._written:
            await self._ask(WRITE)
        self._written = self._written or arm in {WRITE, LOAD}
        return await self._ask(arm)

    async def violations(self) -> int:
        """The log was in memory: a state that is not the owner's has failed the round."""
        return 0

    async def _ask(self, arm: str) -> Mapping[str, float]:
        return msgspec.json.decode(await self._process.ask(msgspec.json.encode(Do(arm))), type=dict[str, float])


@asynccontextmanager
async def _session(plan: Plan) -> AsyncIterator[Session]:
    holds = plan.pick(HOLDS, QUICK_HOLDS)
    with tempfile.TemporaryDirectory(prefix="turnstile-bench-") as folder:
        async with child("bench.recovery_process") as process:
            await process.answer()
            await process.ask(msgspec.json.encode(Make(holds, holds, folder)))
            yield _Recovery(process)


SCENARIO = Scenario(
    name="recovery",
    question="How long does a start take, from the ledger and from a snapshot, and whom does taking one delay?",
    arms=(FOLD, WRITE, LOAD, ALONE, BESIDE),
    rounds=5,
    goals=(
        Goal("fold_s", FOLD, most=5.0),
        Goal("load_s", LOAD, most=2.0),
        Goal("late_max_ms", BESIDE, most=20.0),
    ),
    session=_session,
)
