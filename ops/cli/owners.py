"""`turnstile owners`: who decides what, and who would take over."""

import asyncio
import time
from typing import NamedTuple

import typer

from ops.cli.output import Json, print_columns, print_json
from ops.cli.session import run, servers_of, settings_of
from ops.group import members, name_of
from ops.survey import PartitionState, survey
from streams.kafka_log import KafkaLog
from streams.plan import FOLLOW_ALL_MAX, Members, Plan
from streams.topics import Ledger, LedgerTopics, named

HEADINGS = ("ledger", "partition", "owner", "epoch", "lag", "planned for", "standby", "last decision")


class Row(NamedTuple):
    """One partition, for people and programs. `alive`: the owner's incarnation is in the consumer group."""

    ledger: Ledger
    partition: int
    owner: str
    incarnation: str
    alive: bool
    yielded_to: str | None
    epoch: int
    src: int
    lag: int
    planned: str
    standby: list[str]
    decided_ms: int


def owners(ctx: typer.Context, json: Json = False) -> None:
    """Who owns each partition of both ledgers, who stands by, epoch and lag."""
    settings = settings_of(ctx)
    looks = run(_look(servers_of(settings), settings.namespace))
    rows = [_row(ledger.name, state, group) for ledger, states, group in looks for state in states]
    if json:
        print_json([row._asdict() for row in rows])
        return
    print_columns(HEADINGS, [_cells(row) for row in rows])
    for ledger, _, group in looks:
        if not group:
            start = f"start one with `turnstile worker --role {ledger.role}`"
            typer.echo(f"no {ledger.role} worker is in the consumer group: {start}", err=True)


async def _look(servers: str, namespace: str) -> list[tuple[LedgerTopics, list[PartitionState], Members]]:
    topics = named(namespace)
    looks = []
    async with KafkaLog(servers, "turnstile-owners") as log:
        for ledger in topics.ledgers:
            states, group = await asyncio.gather(
                survey(log, topics, ledger.name), members(servers, namespace, ledger.role)
            )
            looks.append((ledger, states, group))
    return looks


def _row(ledger: Ledger, state: PartitionState, group: Members) -> Row:
    claim = state.claim if state.is_owned else None
    owner = claim.incarnation if claim else ""
    return Row(
        ledger=ledger,
        partition=state.partition,
        owner=claim.worker if claim else "",
        incarnation=owner,
        alive=owner in group,
        yielded_to=state.yielded_to,
        epoch=state.epoch,
        src=state.src,
        lag=state.lag,
        planned=next((name_of(member) for member, planned in group.items() if state.partition in planned), ""),
        standby=_standbys(state.partition, owner, group),
        decided_ms=state.at_ms,
    )


def _standbys(partition: int, owner: str, group: Members) -> list[str]:
    """Few workers all follow every partition; of many, the plan's owner and one more do."""
    if len(group) <= FOLLOW_ALL_MAX:
        return sorted(name_of(member) for member in group if member != owner)
    standby = Plan("", partition + 1, frozenset(), group, group).standby(partition)
    following = {member for member, planned in group.items() if partition in planned} | {standby or ""}
    return sorted(name_of(member) for member in following - {owner, ""})


def _cells(row: Row) -> tuple[object, ...]:
    ago_s = time.time() - row.decided_ms / 1000
    decided = "-" if row.decided_ms < 0 else f"{max(0.0, ago_s):.1f} s ago"
    standby = ", ".join(row.standby) or "-"
    return row.ledger, row.partition, _owner(row), row.epoch, row.lag, row.planned or "-", standby, decided


def _owner(row: Row) -> str:
    if not row.owner:
        return "-" if row.yielded_to is None else f"(yielded to {row.yielded_to or 'anybody'})"
    return row.owner if row.alive else f"{row.owner} (not in the group)"


COMMANDS = {"": owners}
