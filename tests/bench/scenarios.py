"""A scenario in memory, for tests of what runs scenarios."""

from collections.abc import Mapping
from contextlib import asynccontextmanager

from bench.scenario import Goal, Scenario

FAST, SLOW = "fast", "slow"
FIGURES = {FAST: [100, 300, 200], SLOW: [50, 100, 160]}


class Rounds:
    """Figures of each arm, one a round; `found` violations."""

    def __init__(self, figures: Mapping[str, list[float]], found: int = 0) -> None:
        self.asked: list[str] = []
        self.left = 0
        self._figures = {arm: list(values) for arm, values in figures.items()}
        self._found = found

    @asynccontextmanager
    async def session(self, _plan):
        try:
            yield self
        finally:
            self.left += 1

    async def measure(self, arm):
        self.asked.append(arm)
        return {"work_per_s": self._figures[arm].pop(0), "cpu_us": 2}

    async def violations(self):
        return self._found


class DrawnRounds(Rounds):
    """It draws, too."""

    def curves(self):
        return {"line": [(0.0, 1.0), (1.0, 2.0)]}


def scenario(rounds: Rounds, *goals: Goal, name: str = "test", arms: tuple[str, ...] = (FAST, SLOW)) -> Scenario:
    return Scenario(name, "Which one is faster?", arms, 3, goals, rounds.session)
