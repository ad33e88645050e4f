"""Writes docs/benchmarks.md from the results that lie in bench/results."""

from pathlib import Path

from bench.report import machine_lines, markdown
from bench.result import RESULTS, Result, load, path_of

PAGE = Path(__file__).parents[1] / "docs/benchmarks.md"
HEAD = """# Benchmarks

Written by `python -m bench docs` from the last full run of each scenario; `make bench` runs them on your own machine,
and leaves JSON, tables and plots in `bench/results/`. `turnstile bench NAME --quick` shows in a minute that one works.

How it is measured: the arms of a scenario are measured in turn, each round beginning with another one, so that
whatever else the machine does falls on all alike. A cell is the median of the rounds, with the lowest and the highest.
Load comes from a process of its own. In an open loop each request has a time at which it is due and its latency counts
from there, sent late or not, so that a slow answer hides nothing (no coordinated omission). Latencies are kept in
HdrHistograms. `cpu` figures are CPU time of one process, per decision or as named. Every run ends with the auditor over
all of its log: one with a violation fails, and has no speed.

Absolute figures are of one machine on one day. Ratios between arms, and bounds on them, are what should hold elsewhere.
"""
EMPTY = "\nNothing has been measured here yet: `make bench`.\n"


def page(catalogue: tuple[str, ...], folder: Path = RESULTS) -> str:
    """The page of the scenarios that have a full result, in the catalogue's order."""
    results = [load(path) for name in catalogue if (path := path_of(name, quick=False, folder=folder)).exists()]
    if not results:
        return HEAD + EMPTY
    return HEAD + "\n" + "\n".join(_section(result) for result in results)


def write(catalogue: tuple[str, ...], folder: Path = RESULTS, target: Path = PAGE) -> Path:
    """Where it was written. ResultError for a broken result."""
    target.write_text(page(catalogue, folder), encoding="utf-8")
    return target


def _section(result: Result) -> str:
    text = markdown(result).replace("### ", "## ", 1)
    return f"{text}\n`turnstile bench {result.scenario}` on: {machine_lines(result)}.\n"
