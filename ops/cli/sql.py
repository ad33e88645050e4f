"""`turnstile sql ...`: the system of record."""

import typer
from rich.console import Console

from adapters.sql.database import SchemaError, SqlAwayError
from ops.audit.log_source import kafka_source
from ops.cli.database import database_of
from ops.cli.output import Json, print_json
from ops.cli.session import explained, run, servers_of, settings_of
from ops.sql_rebuild import Rebuild, RebuildError
from streams.identity import read_identity
from streams.kafka_log import KafkaLog
from streams.topics import Topics, named

_FIXES = {
    SqlAwayError: "TURNSTILE_SQL names the database; a confirmation agent that is writing may hold it: try again",
    SchemaError: "",
    RebuildError: "",
}


def rebuild(ctx: typer.Context, json: Json = False) -> None:
    """Make orders, items, events, payments and inventory again from the ledgers; readers see the old rows meanwhile.

    Customers' keys and mails are in no ledger: they stay as they are. Agents may run.
    """
    settings = settings_of(ctx)
    servers, topics = servers_of(settings), named(settings.namespace)
    database = database_of(settings)
    with explained(_FIXES), Console(stderr=True).status("reading the ledgers ..."):
        log_id, ends = run(_look(servers, topics))
        with kafka_source(servers, topics) as source:
            rebuilt = Rebuild(source, topics, log_id, ends).run(database)
    database.close()
    if json:
        print_json(rebuilt._asdict())
    else:
        typer.echo(f"{rebuilt.orders} orders from {rebuilt.events} events, {rebuilt.pools} pools")


async def _look(servers: str, topics: Topics) -> tuple[bytes, dict[tuple[str, int], int]]:
    """The log's id, and the ends of the events topics before the ledgers are looked at."""
    async with KafkaLog(servers, "turnstile-sql") as log:
        identity = await read_identity(log, topics)
        names = (topics.order_events.name, topics.stock_events.name)
        places = [(name, part) for name in names for part in range(identity.partitions)]
        return identity.log_id, {place: await log.end(*place) for place in places}


COMMANDS = {"rebuild": rebuild}
