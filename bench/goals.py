"""Whether a run reached what its scenario asks for."""

from statistics import median

from bench.result import Judged
from bench.scenario import Goal

Figures = dict[str, dict[str, list[float]]]


class NoFigureError(LookupError):
    """A goal names an arm or a figure that was not measured: a mistake in the scenario."""


def judge(goals: tuple[Goal, ...], figures: Figures) -> list[Judged]:
    """Each goal against the median of its rounds. NoFigureError."""
    return [_judged(goal, figures) for goal in goals]


def _judged(goal: Goal, figures: Figures) -> Judged:
    values = _values(figures, goal.arm, goal.figure)
    if goal.of:
        others = _values(figures, goal.of, goal.figure)
        values = [value / other for value, other in zip(values, others, strict=True)]
    value = median(values)
    met = (goal.least is None or value >= goal.least) and (goal.most is None or value <= goal.most)
    return Judged(describe(goal), value, met)


def describe(goal: Goal) -> str:
    """`worker_cpu_us of granted-100 at most 5`."""
    bounds = [f"at least {goal.least:,g}"] if goal.least is not None else []
    bounds += [f"at most {goal.most:,g}"] if goal.most is not None else []
    against = f" against {goal.of}" if goal.of else ""
    return f"{goal.figure} of {goal.arm}{against} {' and '.join(bounds)}"


def _values(figures: Figures, arm: str, figure: str) -> list[float]:
    try:
        return figures[arm][figure]
    except KeyError:
        message = f"no figure {figure} of arm {arm} was measured"
        raise NoFigureError(message) from None
