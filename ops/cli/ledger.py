"""`turnstile ledger ...`: look at it, copy it, decide by hand what no owner can decide."""

import getpass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from domain.outcomes import REPEATED, Outcome
from ops import ledger_file
from ops.audit.log_source import kafka_source
from ops.cli.complaint import Complaint
from ops.cli.output import Json, WhichLedger, print_json
from ops.cli.session import explained, run, servers_of, settings_of
from ops.ledgers import kind_of
from ops.ruling import Ruled, Ruling, RulingError
from streams.kafka_log import KafkaLog
from streams.log import Record
from streams.order_events import OrderEvent
from streams.order_records import events_of
from streams.records import (
    CLAIM,
    GENESIS,
    RULING,
    Decided,
    UndecodableError,
    decode_claim,
    decode_decided,
    decode_genesis_body,
    decode_ledger,
)
from streams.stock_records import decode_details
from streams.topics import Ledger, named

Partition = Annotated[int, typer.Argument(min=0, help="Which ledger partition.")]


def show(
    ctx: typer.Context,
    partition: Partition,
    start: Annotated[int, typer.Option("--from", help="First offset; negative: so many before the end.")] = -20,
    limit: Annotated[int, typer.Option(min=1, help="How many records.")] = 20,
    ledger: WhichLedger = Ledger.STOCK,
    json: Json = False,
) -> None:
    """Print records, decoded; with --json one object a line, with every change."""
    settings = settings_of(ctx)
    topic = named(settings.namespace).of(ledger).ledger.name
    for record in run(_read(servers_of(settings), topic, partition, start, limit)):
        described = describe(record, partition, ledger)
        if json:
            print_json(described)
        else:
            typer.echo(_line(described))


def export(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to; replaced when it is complete.")],
    json: Json = False,
) -> None:
    """Copy commands and ledger of every partition into one file, for `turnstile verify FILE`."""
    settings = settings_of(ctx)
    status = Console(stderr=True).status("copying the log ...")
    try:
        with explained(), kafka_source(servers_of(settings), named(settings.namespace)) as source, status:
            sections = ledger_file.export(source, file)
    except OSError as error:
        raise Complaint(what=f"{file}: {error.strerror}") from error
    if json:
        print_json([section._asdict() for section in sections])
    else:
        records = sum(section.records for section in sections)
        typer.echo(f"{records} records of {source.partitions} partitions in {file}")


def rule(
    ctx: typer.Context,
    partition: Partition,
    src: Annotated[int, typer.Argument(min=1, help="Offset of the commands record that stops the partition.")],
    reason: Annotated[str, typer.Option(help="Why; it stands in the ledger for good.")],
    operator: Annotated[str, typer.Option(help="Who decides; default: the user's name.")] = "",
    ledger: WhichLedger = Ledger.STOCK,
    json: Json = False,
) -> None:
    """Decide by hand the next record of a partition that no worker can decide: every command in it gets FAULT.

    The record goes to the dead letters. A worker claims the partition afterwards and goes on.
    """
    settings = settings_of(ctx)
    ruling = _Rule(servers_of(settings), settings.namespace, ledger, partition, operator or getpass.getuser())
    ruled = run(ruling.rule(src, reason), {RulingError: ""})
    if json:
        print_json(ruled._asdict())
    else:
        typer.echo(f"{ruled.commands} commands of {partition}:{src} are FAULT, by ledger record {ruled.ledger_offset}")


class _Rule:
    """Makes the ruling inside the running loop, where Kafka clients must be made."""

    def __init__(self, servers: str, namespace: str, ledger: Ledger, partition: int, operator: str) -> None:
        self._servers = servers
        self._topics = named(namespace).of(ledger)
        self._kind = kind_of(ledger, namespace)
        self._partition = partition
        self._operator = operator

    async def rule(self, src: int, reason: str) -> Ruled:
        ruling = Ruling(self._servers, self._topics, self._partition, self._kind, self._operator, _say)
        return await ruling.rule(src, reason)


def _say(line: str) -> None:
    typer.echo(line, err=True)


async def _read(servers: str, topic: str, partition: int, start: int, limit: int) -> list[Record]:
    async with KafkaLog(servers, "turnstile-show") as log:
        end = await log.end(topic, partition)
        first = max(0, end + start if start < 0 else start)
        return [record async for record in log.read(topic, partition, first, min(end, first + limit))]


def describe(record: Record, partition: int, ledger: Ledger = Ledger.STOCK) -> dict[str, Any]:
    """A ledger record in plain values; bytes as hex. What does not decode says so."""
    common: dict[str, Any] = {"offset": record.offset, "timestamp_ms": record.timestamp_ms}
    try:
        header = decode_ledger(record.value)
        common |= {"epoch": header.epoch, "nonce": header.nonce.hex(), "published": header.published}
        common["digest"] = header.digest.hex()
        if header.kind == GENESIS:
            return {**common, "kind": "genesis", **_plain(decode_genesis_body(header.body)._asdict())}
        if header.kind == CLAIM:
            return {**common, "kind": "claim", **decode_claim(header.body)._asdict()}
        decided = decode_decided(header.body)
        details = _of_stock(decided) if ledger is Ledger.STOCK else _of_orders(partition, record.offset, decided)
    except UndecodableError as error:
        return {**common, "kind": "undecodable", "error": str(error), "value": record.value.hex()}
    return {
        **common,
        "kind": "ruling" if header.kind == RULING else "decided",
        **_plain({key: value for key, value in decided._asdict().items() if key not in {"details", "outcomes"}}),
        "outcomes": [_outcome(code) for code in decided.outcomes],
        **details,
    }


def _of_stock(decided: Decided) -> dict[str, Any]:
    details = decode_details(decided.details)
    return {
        "repeats": [_plain(repeat._asdict()) for repeat in details.repeats],
        "changes": [
            {"change": type(one).__name__, **_plain(one._asdict())} for run in details.changes for one in run.items
        ],
        "totals": [totals._asdict() for totals in details.totals],
    }


def _of_orders(partition: int, offset: int, decided: Decided) -> dict[str, Any]:
    events = [event for event in events_of(partition, offset, decided) if isinstance(event, OrderEvent)]
    return {"events": [msgspec.to_builtins(event) for event in events]}


def _outcome(code: int) -> str:
    known = {outcome.value: outcome.label for outcome in Outcome}
    label = known.get(code & ~REPEATED, str(code & ~REPEATED))
    return f"{label} again" if code & REPEATED else label


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value.hex() if isinstance(value, bytes) else value for key, value in fields.items()}


def _line(entry: dict[str, Any]) -> str:
    """One record on one line: what it is, what was decided, what is left."""
    head = f"{entry['offset']:>8}  {entry['timestamp_ms']}  {entry['kind']:8}"
    if entry["kind"] == "undecodable":
        return f"{head}  {entry['error']}"
    if entry["kind"] == "genesis":
        return f"{head}  log {entry['log_id']}, partition {entry['partition']} of {entry['partitions']}"
    if entry["kind"] == "claim":
        return f"{head}  epoch {entry['epoch']}: {entry['worker']} ({entry['reason']})"
    counted = {label: entry["outcomes"].count(label) for label in dict.fromkeys(entry["outcomes"])}
    answers = ", ".join(f"{count} {label}" if count > 1 else label for label, count in counted.items())
    stock = [
        f"{t['sku']}: {t['available']} available, {t['held']} held, {t['sold']} sold" for t in entry.get("totals", ())
    ]
    orders = [f"{e['order']} {e['kind']} {e['state']}" for e in entry.get("events", ())]
    after = "; ".join((*stock, *orders))
    return f"{head}  epoch {entry['epoch']} src {entry['src']}: {answers}" + (f"  [{after}]" if after else "")


COMMANDS = {"show": show, "export": export, "rule": rule}
