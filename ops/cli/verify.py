"""`turnstile verify`: the audit of a broker's log, or of an exported one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from ops import ledger_file
from ops.audit.log_source import kafka_source
from ops.audit.partition import Options
from ops.audit.report import Report
from ops.audit.source import Source
from ops.audit.table import print_report
from ops.audit.verify import audit
from ops.cli.complaint import Complaint
from ops.cli.output import Json, print_json
from ops.cli.session import explained, servers_of, settings_of
from streams.topics import named

REPORT_COLUMNS = 160
"""A report into a file or pipe: wide enough for digests."""


def verify(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="What `ledger export` wrote; default: the broker.")] = None,
    replay: Annotated[bool, typer.Option(help="Decide once more what commands still exist, and compare.")] = False,
    json: Json = False,
) -> None:
    """Audit every record: chain, claims, conservation, first come first served. Exit code 1 on the first violation."""
    console = Console(stderr=True)
    with explained(), _source(ctx, file) as source, console.status("reading the log ..."):
        report = audit(source, options=Options(replay=replay))
    if json:
        print_json(as_json(report))
    else:
        print_report(report, Console(width=None if console.is_terminal else REPORT_COLUMNS))
    if not report.ok:
        raise Complaint(what=f"the ledger does not hold: {report.violations[0]}")


@contextmanager
def _source(ctx: typer.Context, file: Path | None) -> Iterator[Source]:
    if file is not None:
        try:
            yield ledger_file.load(file)
        except OSError as error:
            raise Complaint(what=f"{file}: {error.strerror}") from error
        return
    settings = settings_of(ctx)
    with kafka_source(servers_of(settings), named(settings.namespace)) as source:
        yield source


def as_json(report: Report) -> dict[str, Any]:
    """The report without what is kept per decision."""
    return {
        "ok": report.ok,
        "log_id": report.log_id,
        "partitions": [figures._asdict() for figures in report.partitions],
        "pools": [figures._asdict() for figures in report.pools],
        "outcomes": {outcome.label: count for outcome, count in report.outcomes.items()},
        "repeats": report.repeats,
        "violations": [{**one._asdict(), "kind": str(one.kind)} for one in report.violations],
        "counts": {str(kind): count for kind, count in report.counts.items()},
    }


COMMANDS = {"": verify}
