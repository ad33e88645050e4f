"""Plots of a result: a panel a figure with a bar an arm, and the curves that a session drew."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.result import RESULTS, Result, names, path_of, spread

PANEL_INCHES = (6.0, 0.5)
"""Width of a panel, and what each arm adds to its height."""
HEAD_INCHES = 1.2
PANELS_ACROSS = 2
LOG_FROM = 30
"""Arms further apart than this are drawn on a logarithmic scale: else the small ones would not be seen."""


def plot(result: Result, folder: Path = RESULTS) -> list[Path]:
    """SVG files beside the result; none for a failed run."""
    if result.failed:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    kept = path_of(result.scenario, quick=result.quick, folder=folder)
    paths = [kept.with_suffix(".svg")]
    _bars(result).savefig(paths[0])
    if any(result.curves.values()):
        paths.append(kept.with_suffix(".curves.svg"))
        _curves(result).savefig(paths[1])
    return paths


def _bars(result: Result) -> Figure:
    columns = names(result.figures)
    height = HEAD_INCHES + PANEL_INCHES[1] * len(result.figures)
    rows = -(-len(columns) // PANELS_ACROSS)
    figure = Figure(figsize=(PANEL_INCHES[0] * PANELS_ACROSS, height * rows), layout="constrained")
    figure.suptitle(f"{result.scenario}: median, lowest to highest of {result.rounds} rounds")
    for number, name in enumerate(columns, 1):
        axes = figure.add_subplot(rows, PANELS_ACROSS, number)
        arms = [arm for arm in result.figures if name in result.figures[arm]]
        ranges = [spread(result.figures[arm][name]) for arm in arms]
        errors = [[one.median - one.least for one in ranges], [one.most - one.median for one in ranges]]
        axes.barh(arms, [one.median for one in ranges], xerr=errors, capsize=3)
        axes.invert_yaxis()
        axes.set_xlabel(name)
        medians = [one.median for one in ranges]
        if min(medians) > 0 and max(medians) > LOG_FROM * min(medians):
            axes.set_xscale("log")
    return figure


def _curves(result: Result) -> Figure:
    drawn = {arm: lines for arm, lines in result.curves.items() if lines}
    figure = Figure(figsize=(8.0, 3.0 * len(drawn)), layout="constrained")
    axes: Any = None
    for number, (arm, lines) in enumerate(drawn.items(), 1):
        axes = figure.add_subplot(len(drawn), 1, number, sharex=axes)
        axes.set_title(f"{result.scenario}: {arm}")
        for name, points in lines.items():
            axes.plot([x for x, _ in points], [y for _, y in points], label=name, linewidth=0.8)
        axes.legend(loc="upper right")
    axes.set_xlabel("seconds")
    return figure
