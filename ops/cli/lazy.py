"""A group of commands that imports a command's module only when that command is called: `--help` stays quick.

One of the two places where modules are imported by name inside a function (the other: agents/__main__.py).
"""

import importlib
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from ops.cli.catalogue import Entry
from ops.cli.complaint import Complaint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class LazyGroup(TyperGroup):
    """Knows names and help lines of its commands from the catalogue."""

    def __init__(self, name: str, about: str, catalogue: tuple[Entry, ...]) -> None:
        super().__init__(
            name=name,
            help=about,
            no_args_is_help=True,
            rich_markup_mode=None,
            commands={entry.name: TyperCommand(entry.name, help=entry.help) for entry in catalogue},
        )
        self._entries = {entry.name: entry for entry in catalogue}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The real command in place of the line in the catalogue."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(self._entries[str(name)]), rest


def load(entry: Entry) -> Any:
    """A command, or a group of commands, from its module's COMMANDS."""
    commands: Mapping[str, Callable[..., None]] = importlib.import_module(entry.module).COMMANDS
    app = typer.Typer(
        name=entry.name, help=entry.help, no_args_is_help=True, add_completion=False, rich_markup_mode=None
    )
    for name, function in commands.items():
        app.command(name or entry.name)(function)
    if "" not in commands:
        app.callback()(_nothing)
    return get_command(app)


def load_settings() -> Any:
    """`settings.Shared()`, imported now; Complaint for a value that is none."""
    module = importlib.import_module("settings")
    try:
        return module.Shared()
    except ValueError as error:  # pydantic.ValidationError is one
        raise Complaint(what=module.problems(error), fix="correct the variable in the environment") from error


def _nothing() -> None:
    """Makes a group of an app that has one command."""
