"""`turnstile worker`: one worker of an owner role in the foreground."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from ops.cli.session import servers_of, settings_of
from ops.supervisor import python_module
from settings import environment_with


class Role(StrEnum):
    """The roles of `python -m agents`."""

    INVENTORY = "inventory"
    ORDER = "order"
    RELAY = "relay"
    PAYMENT = "payment"
    COMPENSATION = "compensation"
    CONFIRMATION = "confirmation"


def worker(
    ctx: typer.Context,
    name: Annotated[str, typer.Option(help="As others see it; default: by process id.")] = "",
    role: Annotated[Role, typer.Option(help="What it does.")] = Role.INVENTORY,
) -> None:
    """Run one worker in the foreground, in place of this process. TERM or Ctrl-C stops it; owners hand over first."""
    servers_of(settings_of(ctx))
    argv = python_module("agents", role)
    os.execve(argv[0], argv, environment_with({"worker": name} if name else {}))  # noqa: S606 - no shell is wanted


COMMANDS = {"": worker}
