"""Two results of one scenario side by side: how much of A is B."""

from statistics import median

import msgspec

from bench.report import number
from bench.result import Result, ResultError, names


class Ratio(msgspec.Struct, frozen=True):
    """Medians of one figure of one arm, and `ratio` = b / a (None where a is 0)."""

    arm: str
    figure: str
    a: float
    b: float
    ratio: float | None


def compare(a: Result, b: Result) -> list[Ratio]:
    """Every figure that both have. ResultError if they are not of one scenario, or one of them failed."""
    if a.scenario != b.scenario:
        message = f"{a.scenario} cannot be compared with {b.scenario}"
        raise ResultError(message)
    for result in (a, b):
        if result.failed:
            message = f"a run of {result.scenario} failed with {result.violations} violations: it has no speed"
            raise ResultError(message)
    found = []
    for arm in (arm for arm in a.figures if arm in b.figures):
        for name in (name for name in names({arm: a.figures[arm]}) if name in b.figures[arm]):
            one, other = median(a.figures[arm][name]), median(b.figures[arm][name])
            found.append(Ratio(arm, name, one, other, other / one if one else None))
    return found


def table(ratios: list[Ratio]) -> str:
    """Markdown."""
    lines = ["| arm | figure | A | B | B / A |", "|---|---|---:|---:|---:|"]
    for one in ratios:
        ratio = "" if one.ratio is None else f"{one.ratio:.3f}"
        lines.append(f"| {one.arm} | {one.figure} | {number(one.a)} | {number(one.b)} | {ratio} |")
    return "\n".join(lines)
