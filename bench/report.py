"""A result as one markdown table: a row an arm, a column a figure, median and spread in each cell."""

from bench.result import Result, names, spread

THOUSANDS = 1_000
WHOLE = 100


def markdown(result: Result) -> str:
    """Heading, table, goals. A failed run has neither."""
    lines = [f"### {result.scenario}", "", result.question, ""]
    if result.failed:
        return "\n".join(
            [*lines, f"**Failed**: the auditor found {result.violations} violations, so it has no speed.", ""]
        )
    quick = ", quick: its figures mean little" if result.quick else ""
    columns = names(result.figures)
    lines += [f"| arm | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    for arm, figures in result.figures.items():
        cells = [_cell(figures[name]) if name in figures else "" for name in columns]
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    lines += [
        "",
        f"Median (lowest to highest) of {result.rounds} rounds in turn, {result.took_s:.0f} s{quick}. Audited.",
        "",
    ]
    if result.goals:
        lines += ["| goal | measured | |", "|---|---:|---|"]
        lines += [
            f"| {one.goal} | {number(one.value)} | {'reached' if one.met else 'missed'} |" for one in result.goals
        ]
        lines.append("")
    return "\n".join(lines)


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
