"""A result as one markdown table: median and spread of each figure of each arm."""

from collections.abc import Mapping

from bench.result import Judged, Result, names, spread

THOUSANDS = 1_000
WHOLE = 100


def markdown(result: Result) -> str:
    """Heading, question, `body`."""
    return f"### {result.scenario}\n\n{result.question}\n\n{body(result)}"


def body(result: Result) -> str:
    """The table and the goals. A failed run has neither."""
    if result.failed:
        return f"**Failed**: the auditor found {result.violations} violations, so it has no speed.\n"
    quick = ", quick: its figures mean little" if result.quick else ""
    took = f"Median (lowest to highest) of {result.rounds} rounds in turn, {result.took_s:.0f} s{quick}. No violation."
    lines = [*_table(result.figures), "", took, ""]
    if result.goals:
        lines += ["| goal | measured | |", "|---|---:|---|", *map(_goal, result.goals), ""]
    return "\n".join(lines)


def _goal(goal: Judged) -> str:
    return f"| {goal.goal} | {number(goal.value)} | {'reached' if goal.met else 'missed'} |"


def _table(figures: Mapping[str, Mapping[str, list[float]]]) -> list[str]:
    """A row an arm, or, where there are more figures than arms, a row a figure."""
    columns = names(figures)
    cells = {(arm, name): _cell(values) for arm, own in figures.items() for name, values in own.items()}
    if len(columns) > len(figures):
        head, rows = list(figures), [[name, *(cells.get((arm, name), "") for arm in figures)] for name in columns]
    else:
        head, rows = columns, [[arm, *(cells.get((arm, name), "") for name in columns)] for arm in figures]
    lines = [f"| | {' | '.join(head)} |", f"|---|{'---:|' * len(head)}"]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def machine_lines(result: Result) -> str:
    """What it was measured on, in one line."""
    return ", ".join(f"{name} {value}" for name, value in result.machine.items())


def number(value: float) -> str:
    """Three digits or so: 142,310, 27.4, 0.331."""
    if value == int(value) and abs(value) < THOUSANDS:
        return str(int(value))
    if abs(value) >= WHOLE:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _cell(values: list[float]) -> str:
    one = spread(values)
    if len(values) == 1:
        return number(one.median)
    return f"{number(one.median)} ({number(one.least)} to {number(one.most)})"
