"""Writes docs/benchmarks.md from the results that lie in bench/results."""

import inspect
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.report import body, machine_lines
from bench.result import RESULTS, load, path_of
from bench.scenario import Scenario

PAGE = Path(__file__).parents[1] / "docs/benchmarks.md"
HEAD = """# Benchmarks

Written by `python -m bench docs` from the last run of each scenario that was not quick; `make bench` runs them on your
own machine, and leaves JSON, tables and plots in `bench/results/`. `turnstile bench NAME --quick` shows in a minute
that one works.

How it is measured: the arms of a scenario are measured in turn, each round beginning with another one, so that
whatever else the machine does falls on all alike. A cell is the median of the rounds, with the lowest and the highest.
Load comes from a process of its own. In an open loop each request has a time at which it is due and its latency counts
from there, sent late or not, so that a slow answer hides nothing (no coordinated omission). Latencies are kept in
HdrHistograms. `cpu` figures are CPU time of one process (of all gateways, where there are two), per decision or as
named. Every run ends with the auditor over all of its log: one with a violation fails, and has no speed. `flat` and
`recovery` make their load themselves, on a log in memory; there every answer and every state is checked instead.

Absolute figures are of one machine on one day. Ratios between arms, and bounds on them, are what should hold elsewhere.
"""
NOT_YET = "Not measured here yet.\n"


def page(catalogue: Mapping[str, Scenario], folder: Path = RESULTS) -> str:
    """Every scenario in the catalogue's order: its question, how it is asked, and what was measured last."""
    return "\n".join(
        [HEAD, *(_section(one, path_of(name, quick=False, folder=folder)) for name, one in catalogue.items())]
    )


def write(catalogue: Mapping[str, Scenario], folder: Path = RESULTS, target: Path = PAGE) -> Path:
    """Where it was written. ResultError for a broken result."""
    target.write_text(page(catalogue, folder), encoding="utf-8")
    return target


def _section(scenario: Scenario, path: Path) -> str:
    lines = [f"## {scenario.name}", "", scenario.question, "", _how(scenario), ""]
    if not path.exists():
        return "\n".join([*lines, NOT_YET])
    result = load(path)
    measured = f"`turnstile bench {scenario.name}` on: {machine_lines(result)}."
    return "\n".join([*lines, body(result), measured, ""])


def _how(scenario: Scenario) -> str:
    """What its module says of it."""
    return inspect.cleandoc(sys.modules[scenario.session.__module__].__doc__ or "")
