"""Runs one scenario: its arms in turn, round by round, and the auditor at the end.

What the machine does beside it falls on all arms alike: within a round they follow each other at once, and each round
begins with another arm.
"""

import time
from collections.abc import Callable, Iterator

from bench.goals import Figures, judge
from bench.machine import machine
from bench.result import Result
from bench.scenario import Drawn, Plan, Scenario

Tell = Callable[[int, int, str], None]
"""What is about to be done: steps done, steps in all, words."""


def order(arms: tuple[str, ...], rounds: int) -> Iterator[tuple[int, str]]:
    """(round, arm), every arm once a round, each round beginning with the next arm."""
    for number in range(rounds):
        first = number % len(arms)
        for arm in (*arms[first:], *arms[:first]):
            yield number, arm


async def run(scenario: Scenario, plan: Plan, rounds: int, tell: Tell) -> Result:
    """Measure and audit. With a violation, the result has no figures."""
    begun, here = time.monotonic(), machine()
    figures: Figures = {arm: {} for arm in scenario.arms}
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    steps = list(order(scenario.arms, rounds))
    tell(0, len(steps), "setting up")
    async with scenario.session(plan) as session:
        for done, (number, arm) in enumerate(steps):
            tell(done, len(steps), f"round {number + 1} of {rounds}: {arm}")
            for name, value in (await session.measure(arm)).items():
                figures[arm].setdefault(name, []).append(float(value))
            if isinstance(session, Drawn):
                curves[arm] = {name: list(points) for name, points in session.curves().items()}
        tell(len(steps), len(steps), "auditing")
        violations = await session.violations()
    return Result(
        scenario=scenario.name,
        question=scenario.question,
        quick=plan.quick,
        rounds=rounds,
        took_s=round(time.monotonic() - begun, 1),
        violations=violations,
        machine=here,
        figures={} if violations else figures,
        goals=[] if violations else judge(scenario.goals, figures),
        curves={} if violations else curves,
    )
