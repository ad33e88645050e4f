"""`turnstile topics ...`: make the log, or look whether it is as it must be."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from ops.cli.complaint import Complaint
from ops.cli.output import Json, print_json
from ops.cli.session import run, servers_of, settings_of
from ops.partitions import wanted_partitions
from ops.topics_apply import apply, check
from settings import Shared
from streams.topics import Topics, named

T = TypeVar("T")


def apply_(ctx: typer.Context, json: Json = False) -> None:
    """Create what is missing and write GENESIS; nothing is done twice. P: TURNSTILE_PARTITIONS."""
    settings = settings_of(ctx)
    applied = run(_with_partitions(apply, settings))
    if json:
        print_json({**applied._asdict(), "log_id": applied.log_id.hex()})
        return
    for line in (*applied.changes, *applied.notes):
        typer.echo(line)
    typer.echo(f"log {applied.log_id.hex()} with {applied.partitions} partitions is ready")


def check_(ctx: typer.Context, json: Json = False) -> None:
    """Change nothing; exit code 1 if `apply` would refuse or change something."""
    settings = settings_of(ctx)
    findings = run(_with_partitions(check, settings))
    if json:
        print_json({"ok": not findings, "findings": findings})
    else:
        for line in findings or ["the topics are as they must be"]:
            typer.echo(line)
    if findings:
        raise Complaint(what=f"{len(findings)} findings", fix="run `turnstile topics apply`, or see what it says")


async def _with_partitions(work: Callable[[str, Topics, int], Awaitable[T]], settings: Shared) -> T:
    servers, topics = servers_of(settings), named(settings.namespace)
    return await work(servers, topics, await wanted_partitions(servers, topics, settings))


COMMANDS = {"apply": apply_, "check": check_}
