"""Plots of a result: a panel a figure with a bar an arm, and the curves that a session drew."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.result import RESULTS, Result, names, spread

PANEL_INCHES = (6.0, 0.5)
"""Width of a panel, and what each arm adds to its height."""
HEAD_INCHES = 1.2


def plot(result: Result, folder: Path = RESULTS) -> list[Path]:
    """SVG files beside the result; none for a failed run."""
    if result.failed:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{result.scenario}{'.quick' if result.quick else ''}"
    paths = [folder / f"{stem}.svg"]
    _bars(result).savefig(paths[0])
    if any(result.curves.values()):
        paths.append(folder / f"{stem}.curves.svg")
        _curves(result).savefig(paths[1])
    return paths


def _bars(result: Result) -> Figure:
    columns = names(result.figures)
    height = HEAD_INCHES + PANEL_INCHES[1] * len(result.figures)
    figure = Figure(figsize=(PANEL_INCHES[0], height * len(columns)), layout="constrained")
    figure.suptitle(result.scenario)
    for number, name in enumerate(columns, 1):
        axes = figure.add_subplot(len(columns), 1, number)
        arms = [arm for arm in result.figures if name in result.figures[arm]]
        ranges = [spread(result.figures[arm][name]) for arm in arms]
        errors = [[one.median - one.least for one in ranges], [one.most - one.median for one in ranges]]
        axes.barh(arms, [one.median for one in ranges], xerr=errors, capsize=3)
        axes.invert_yaxis()
        axes.set_xlabel(f"{name}: median, lowest to highest of {result.rounds} rounds")
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
