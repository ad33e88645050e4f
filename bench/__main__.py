"""`python -m bench`: measure scenarios, compare two results, write the page about them.

    python -m bench NAME... [--quick] [--json] [--rounds N]    no name: all of them
    python -m bench compare A.json B.json
    python -m bench docs

Results, tables and plots are left in bench/results (--results FOLDER). A scenario that fails does not stop those behind
it. Exit codes: 0 done, 1 a violation was found or a scenario failed, 130 interrupted.
"""

import argparse
import asyncio
import signal
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar

import msgspec
import uvloop

from bench import compare, docs
from bench.machine import busy
from bench.plots import plot
from bench.progress import Progress
from bench.report import machine_lines, markdown
from bench.result import RESULTS, Result, ResultError, load, save
from bench.runner import run
from bench.scenario import Plan
from bench.scenarios.catalogue import CATALOGUE
from ops.cli.starting import STARTING

FAILED = 1
INTERRUPTED = 130
QUICK_ROUNDS = 1
T = TypeVar("T")
TOLD: tuple[type[Exception], ...] = (ResultError, *STARTING)
"""What a person can do something about; anything else is a bug, and comes with a traceback."""


def main(arguments: list[str] | None = None) -> int:
    """The exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["compare"]:
            return _compare(arguments[1:])
        if arguments == ["docs"]:
            print(docs.write(CATALOGUE))
            return 0
        return _measure(arguments)
    except TOLD as error:
        print(error, file=sys.stderr)
        return FAILED


def _measure(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = "; ".join(f"{one.name}: {one.question}" for one in CATALOGUE.values())
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--quick", action="store_true", help="small and short: does it work?")
    parser.add_argument("--json", action="store_true", help="print a JSON object a scenario instead of a table")
    parser.add_argument("--rounds", type=int, default=0, help="default: as the scenario says; 1 with --quick")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for results, tables and plots")
    options = parser.parse_args(arguments)
    if options.rounds < 0:
        parser.error("--rounds: 1 or more")
    if unknown := [name for name in options.names if name not in CATALOGUE]:
        parser.error(f"no scenario is called {unknown[0]!r}: {', '.join(CATALOGUE)}; or alone: docs, compare A B")
    if problem := _unwritable(options.results):
        parser.error(f"--results: {problem}")
    if warning := busy():
        print(warning, file=sys.stderr)
    try:
        fine = [_scenario(name, options) for name in options.names or CATALOGUE]
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0 if all(fine) else FAILED


def _scenario(name: str, options: argparse.Namespace) -> bool:
    """Run one and show it; False if it failed or found a violation."""
    scenario = CATALOGUE[name]
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else scenario.rounds)
    try:
        result = interruptible(run(scenario, Plan(options.quick), rounds, Progress(name)))
    except TOLD as error:
        print(f"{name}: {error}", file=sys.stderr)
        return False
    except Exception:  # noqa: BLE001 - told in full, and an hour of other scenarios is not lost by it
        print(f"{name} failed:\n{traceback.format_exc()}", file=sys.stderr)
        return False
    _show(result, options.results, as_json=options.json)
    return not result.failed


def _unwritable(folder: Path) -> str:
    """Why results cannot be kept there, asked before an hour was measured; "" if they can."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        TemporaryFile(dir=there).close()
    except OSError as error:
        return str(error)
    return ""


def _show(result: Result, folder: Path, *, as_json: bool) -> None:
    path = save(result, folder)
    plots = plot(result, folder)
    table = markdown(result)
    path.with_suffix(".md").write_text(f"{table}\n{machine_lines(result)}\n", encoding="utf-8")
    print(msgspec.json.encode(result).decode() if as_json else table, flush=True)
    print(f"kept: {', '.join(one.name for one in (path, path.with_suffix('.md'), *plots))}", file=sys.stderr)


def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run it; at the first Ctrl-C or TERM it is cancelled, and cleans up before CancelledError comes out of here."""

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

        def stop() -> None:
            if not task.cancelling():  # once: cleaning up is not to be interrupted
                print("stopping ...", file=sys.stderr)
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
        return await task

    return uvloop.run(guarded())


def _compare(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=compare.__doc__)
    parser.add_argument("a", help="a result, such as one kept from before a change")
    parser.add_argument("b", help="another one of the same scenario")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    ratios = compare.compare(*(load(Path(name)) for name in (options.a, options.b)))
    print(msgspec.json.encode(ratios).decode() if options.json else compare.table(ratios))
    return 0


if __name__ == "__main__":
    sys.exit(main())
