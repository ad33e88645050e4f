"""`turnstile owners`: who decides what, and who would take over."""

import asyncio
import time
from typing import NamedTuple

import typer

from ops.cli.output import Json, print_columns, print_json
from ops.cli.session import run, servers_of, settings_of
from ops.group import GroupMember, members
from ops.survey import PartitionState, survey
from streams.kafka_log import KafkaLog
from streams.topics import named

HEADINGS = ("partition", "owner", "epoch", "lag", "planned for", "standby", "last decision")
FOLLOW_ALL_MAX = 4
"""So many workers all follow every partition; of more, a hash chooses each partition's standby (agents/plan.py)."""


class Row(NamedTuple):
    """One partition, for people and programs. `alive`: the owner's incarnation is in the consumer group."""

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
    """Who owns each partition, who stands by, epoch and lag."""
    settings = settings_of(ctx)
    states, group = run(_look(servers_of(settings), settings.namespace))
    rows = [_row(state, group) for state in states]
    if json:
        print_json([row._asdict() for row in rows])
        return
    print_columns(HEADINGS, [_cells(row) for row in rows])
    if not group:
        typer.echo("no worker is in the consumer group: start one with `turnstile worker`", err=True)


async def _look(servers: str, namespace: str) -> tuple[list[PartitionState], list[GroupMember]]:
    async with KafkaLog(servers, "turnstile-owners") as log:
        states, group = await asyncio.gather(survey(log, named(namespace)), members(servers, namespace))
    return states, group


def _row(state: PartitionState, group: list[GroupMember]) -> Row:
    claim = state.claim if state.is_owned else None
    owner = claim.incarnation if claim else ""
    others = [member.worker for member in group if member.incarnation != owner]
    return Row(
        partition=state.partition,
        owner=claim.worker if claim else "",
        incarnation=owner,
        alive=any(member.incarnation == owner for member in group),
        yielded_to=state.yielded_to,
        epoch=state.epoch,
        src=state.src,
        lag=state.lag,
        planned=next((member.worker for member in group if state.partition in member.planned), ""),
        standby=others if len(group) <= FOLLOW_ALL_MAX else ["one of", *others],
        decided_ms=state.at_ms,
    )


def _cells(row: Row) -> tuple[object, ...]:
    ago_s = time.time() - row.decided_ms / 1000
    decided = "-" if row.decided_ms < 0 else f"{max(0.0, ago_s):.1f} s ago"
    standby = ", ".join(row.standby) or "-"
    return row.partition, _owner(row), row.epoch, row.lag, row.planned or "-", standby, decided


def _owner(row: Row) -> str:
    if not row.owner:
        return "-" if row.yielded_to is None else f"(yielded to {row.yielded_to or 'anybody'})"
    return row.owner if row.alive else f"{row.owner} (not in the group)"


COMMANDS = {"": owners}
