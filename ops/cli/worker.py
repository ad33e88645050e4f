"""`turnstile worker`: one inventory worker in the foreground."""

import os
from typing import Annotated

import typer

from ops.cli.session import servers_of, settings_of
from ops.supervisor import python_module
from settings import environment_with


def worker(
    ctx: typer.Context,
    name: Annotated[str, typer.Option(help="As others see it; default: by process id.")] = "",
) -> None:
    """Run one inventory worker in the foreground, in place of this process. TERM or Ctrl-C hands over and stops."""
    servers_of(settings_of(ctx))
    argv = python_module("agents", "inventory")
    os.execve(argv[0], argv, environment_with({"worker": name} if name else {}))  # noqa: S606 - no shell is wanted


COMMANDS = {"": worker}
