"""`turnstile worker`: one worker of an owner role in the foreground."""

import os
from enum import StrEnum
from typing import Annotated

import typer

from ops import gateways_file
from ops.cli.session import servers_of, settings_of
from ops.roster import IN_PROCESS
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
    settings = settings_of(ctx)
    servers_of(settings)
    argv = python_module("agents", role)
    values = {"worker": name} if name else {}
    stand_in = gateways_file.payments(settings.data_dir)
    if stand_in and settings.payments.startswith(IN_PROCESS):
        values["payments"] = stand_in  # beside `turnstile up`: the book that its agents write in
    os.execve(argv[0], argv, environment_with(values))  # noqa: S606 - no shell is wanted


COMMANDS = {"": worker}
