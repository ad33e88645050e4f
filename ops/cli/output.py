"""Answers on stdout: columns for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from streams.topics import Ledger

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WhichLedger = Annotated[Ledger, typer.Option("--ledger", help="Of stock or of orders.")]
Url = Annotated[str, typer.Option("--url", help="Gateway; default: one that `turnstile up` started here.")]


def print_json(value: Any) -> None:
    """One line."""
    typer.echo(json.dumps(value))


def print_columns(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(headings), *cells]) for column in range(len(headings))]
    right = [bool(rows) and all(isinstance(row[column], int | float) for row in rows) for column in range(len(widths))]
    for row in [list(headings), *cells]:
        aligned = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ]
        typer.echo("  ".join(aligned).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """One field a line."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        text = ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else value
        typer.echo(f"{name.replace('_', ' ').ljust(width)}  {text}")


def answer(value: Mapping[str, object], *, as_json: bool) -> None:
    """A gateway's answer, one way or the other."""
    if as_json:
        print_json(value)
    else:
        print_fields(value)
