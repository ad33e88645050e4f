"""`turnstile verify`: the audit of a broker's log, or of an exported one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from adapters.sql.database import SchemaError, SqlAwayError
from adapters.stand_in.charges import read, read_lines
from adapters.stand_in.urls import OVER_HTTP
from ops import evidence, gateways_file, ledger_file
from ops.audit.journey import Money, Records
from ops.audit.log_source import kafka_source
from ops.audit.partition import Options
from ops.audit.report import Report
from ops.audit.source import Source
from ops.audit.table import print_report
from ops.audit.verify import audit
from ops.cli.complaint import Complaint
from ops.cli.database import database_of
from ops.cli.output import Json, print_json
from ops.cli.session import explained, servers_of, settings_of
from ops.cli.stand_in_client import StandInClient
from settings import Shared
from streams.topics import named

REPORT_COLUMNS = 160
"""A report into a file or pipe: wide enough for digests."""


def verify(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="What `ledger export` wrote; default: the broker.")] = None,
    replay: Annotated[bool, typer.Option(help="Decide once more what commands still exist, and compare.")] = False,
    book: Annotated[
        Path | None, typer.Option(help="Charges, as `stripe book --json` prints; default: of a stand-in that runs.")
    ] = None,
    sql: Annotated[bool, typer.Option(help="Compare the system of record, unless a file is audited.")] = True,
    json: Json = False,
) -> None:
    """Audit every record of stock and orders, the money in the provider's book, the system of record.

    Exit code 1 if there is a violation.
    """
    console = Console(stderr=True)
    settings = settings_of(ctx)
    with explained(), _source(ctx, file) as source, console.status("reading the log ..."):
        options = Options(replay=replay, book=_book(settings, book, file), records=_records(settings, file, sql=sql))
        report = audit(source, options=options)
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


def _book(settings: Shared, path: Path | None, file: Path | None) -> list[Money] | None:
    """The given charges, or those of a stand-in that runs here; None: no book to compare with."""
    if path is not None:
        try:
            return evidence.book(read(path.read_bytes()))
        except (OSError, ValueError) as error:
            raise Complaint(what=f"{path} is no book of charges: {error}") from error
    if file is not None or not gateways_file.payments(settings.data_dir).startswith(OVER_HTTP):
        return None
    return evidence.book(read_lines(StandInClient(settings).read("GET", "book")))


def _records(settings: Shared, file: Path | None, *, sql: bool) -> Records | None:
    """What the system of record says now; None: it is not to be compared, or was never made."""
    if file is not None or not sql:
        return None
    default = settings.data_dir / "turnstile.db"
    if not settings.sql and not default.exists():
        return None
    database = database_of(settings)
    try:
        return evidence.records(database, named(settings.namespace).order_events.name)
    except (SqlAwayError, SchemaError) as error:
        raise Complaint(what=f"the system of record: {error}", fix="audit without it: --no-sql") from error
    finally:
        database.close()


def as_json(report: Report) -> dict[str, Any]:
    """The report without what is kept per decision."""
    return {
        "ok": report.ok,
        "log_id": report.log_id,
        "partitions": [figures._asdict() for figures in report.partitions],
        "order_partitions": [figures._asdict() for figures in report.order_partitions],
        "orders": report.orders._asdict(),
        "pools": [figures._asdict() for figures in report.pools],
        "outcomes": {outcome.label: count for outcome, count in report.outcomes.items()},
        "repeats": report.repeats,
        "violations": [{**one._asdict(), "kind": str(one.kind)} for one in report.violations],
        "counts": {str(kind): count for kind, count in report.counts.items()},
    }


COMMANDS = {"": verify}
