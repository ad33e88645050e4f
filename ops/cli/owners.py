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
from streams.topics import named

HEADINGS = ("partition", "owner", "epoch", "lag", "planned for", "standby", "last decision")


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


async def _look(servers: str, namespace: str) -> tuple[list[PartitionState], Members]:
    async with KafkaLog(servers, "turnstile-owners") as log:
        states, group = await asyncio.gather(survey(log, named(namespace)), members(servers, namespace))
    return states, group


def _row(state: PartitionState, group: Members) -> Row:
    claim = state.claim if state.is_owned else None
    owner = claim.incarnation if claim else ""
    return Row(
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
    return row.partition, _owner(row), row.epoch, row.lag, row.planned or "-", standby, decided


def _owner(row: Row) -> str:
    if not row.owner:
        return "-" if row.yielded_to is None else f"(yielded to {row.yielded_to or 'anybody'})"
    return row.owner if row.alive else f"{row.owner} (not in the group)"


COMMANDS = {"": owners}
