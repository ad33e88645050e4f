"""`turnstile gateway`: one gateway in the foreground."""

import os
from typing import Annotated

import typer

from ops.cli.session import servers_of, settings_of
from ops.supervisor import python_module
from settings import environment_with


def gateway(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = a free one; the log says which.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    name: Annotated[str, typer.Option(help="As others see it; default: by process id.")] = "",
) -> None:
    """Run one gateway in the foreground, in place of this process. TERM or Ctrl-C stops it."""
    servers_of(settings_of(ctx))
    values: dict[str, object] = {"port": port, "host": host, **({"gateway": name} if name else {})}
    argv = python_module("gateway")
    os.execve(argv[0], argv, environment_with(values))  # noqa: S606 - no shell is wanted


COMMANDS = {"": gateway}
