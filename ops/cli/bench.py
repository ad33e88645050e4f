"""`turnstile bench`: `python -m bench` as this process: operations do not depend on the bench."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.output import Json
from ops.cli.session import settings_of
from ops.supervisor import python_module
from settings import environment_with


def bench(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Scenarios, or: compare A B, docs. None: all.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small and short: does it work?")] = False,
    rounds: Annotated[int, typer.Option(min=0, help="Of each arm; 0 = as the scenario says.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Folder for JSON, tables and plots.")] = None,
    json: Json = False,
) -> None:
    """Measure this machine: each scenario on a system of its own, in a temporary folder. Ctrl-C leaves nothing behind.

    Exit code 1 if the auditor found a violation: such a run has no speed.
    """
    settings_of(ctx)
    options = [*(["--quick"] if quick else []), *(["--rounds", str(rounds)] if rounds else [])]
    options += [*(["--results", str(results)] if results else []), *(["--json"] if json else [])]
    argv = python_module("bench", *(names or []), *options)
    os.execve(argv[0], argv, environment_with({}))  # noqa: S606 - no shell is wanted


COMMANDS = {"": bench}
