"""`turnstile doctor`: see ops/doctor.py."""

import typer
from rich.console import Console

from ops.cli.complaint import Complaint
from ops.cli.output import Json, print_json
from ops.cli.session import run, settings_of
from ops.doctor import examine


def doctor(ctx: typer.Context, json: Json = False) -> None:
    """Check Java, jars, disk, keys, ports, broker, topics, clock and workers. Exit code 1 if something is not well."""
    with Console(stderr=True).status("looking ..."):
        findings = run(examine(settings_of(ctx)))
    if json:
        print_json([finding._asdict() for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'BAD '}  {finding.name:12} {finding.text}")
            if finding.fix:
                typer.echo(f"{'':19}fix: {finding.fix}")
    bad = [finding.name for finding in findings if not finding.ok]
    if bad:
        raise Complaint(what=f"not well: {', '.join(bad)}")


COMMANDS = {"": doctor}
