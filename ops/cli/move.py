"""`turnstile move`: who should own a partition."""

import asyncio
import time
from typing import Annotated, NamedTuple

import typer

from ops.cli.complaint import Complaint
from ops.cli.output import Json, print_json
from ops.cli.session import run, servers_of, settings_of
from ops.group import members, name_of
from ops.move import YIELD_MS, Mover
from ops.survey import PartitionState
from streams.kafka_log import KafkaLog
from streams.topics import Ledger, named

AUTO = "auto"
WAIT_S = 2 * YIELD_MS / 1000
POLL_S = 0.1


def move(
    ctx: typer.Context,
    partition: Annotated[int, typer.Argument(min=0, help="Which; `turnstile owners` lists them.")],
    worker: Annotated[str, typer.Argument(help="The worker's name, or `auto`: as the consumer group plans.")],
    ledger: Annotated[
        Ledger | None, typer.Option(help="Default: the one that this worker decides; stock for `auto`.")
    ] = None,
    json: Json = False,
) -> None:
    """Move a partition to a worker and keep it there while that worker lives; `auto` lets it go again."""
    settings = settings_of(ctx)
    moved = run(_move(servers_of(settings), settings.namespace, ledger, partition, worker))
    state = moved.state
    owner = state.claim.worker if state.claim else ""
    where = f"{moved.ledger} partition {partition}"
    if json:
        fields = {"ledger": moved.ledger, "partition": partition, "owner": owner, "epoch": state.epoch}
        print_json({**fields, "seconds": round(moved.seconds, 3)})
    elif worker == AUTO:
        typer.echo(f"{where} goes where the consumer group plans it; {owner or 'nobody'} owns it now")
    else:
        typer.echo(f"{owner} owns {where} at epoch {state.epoch}, after {moved.seconds:.1f} s")


class Moved(NamedTuple):
    """Which ledger it was, what is the case now, and how long it took."""

    ledger: Ledger
    state: PartitionState
    seconds: float


async def _ledger_of(servers: str, namespace: str, ledger: Ledger | None, worker: str) -> Ledger:
    """The ledger that this worker decides, which must be the one asked for. Complaint if there is no such worker."""
    if worker == AUTO:
        return ledger or Ledger.STOCK
    live: dict[str, Ledger] = {}
    for topics in reversed(named(namespace).ledgers):
        if ledger in {None, topics.name}:
            live |= {name_of(member): topics.name for member in await members(servers, namespace, topics.role)}
    if worker not in live:
        known = ", ".join(sorted(live)) or "none"
        raise Complaint(what=f"no worker named {worker} is in the consumer group; there are: {known}")
    return live[worker]


async def _move(servers: str, namespace: str, wanted: Ledger | None, partition: int, worker: str) -> Moved:
    async with KafkaLog(servers, "turnstile-move") as log:
        ledger = await _ledger_of(servers, namespace, wanted, worker)
        mover = Mover(log, named(namespace), ledger)
        try:
            state = await mover.state(partition)
        except LookupError as error:
            raise Complaint(what=str(error)) from error
        started = time.monotonic()
        log_ms = await mover.pin(partition, "" if worker == AUTO else worker)
        if worker == AUTO:
            return Moved(ledger, state, time.monotonic() - started)
        if not _owns(state, worker):
            await mover.ask_to_yield(state, worker, log_ms)
        while not _owns(state := await mover.state(partition), worker):
            if time.monotonic() - started > WAIT_S:
                owner = state.claim.worker if state.claim else "nobody"
                raise Complaint(
                    what=f"{owner} still owns {ledger} partition {partition} after {WAIT_S:.0f} s",
                    fix=f"look with `turnstile owners`; `turnstile move {partition} auto --ledger {ledger}` takes the "
                    "pin off",
                )
            await asyncio.sleep(POLL_S)
        return Moved(ledger, state, time.monotonic() - started)


def _owns(state: PartitionState, worker: str) -> bool:
    return state.is_owned and state.claim is not None and state.claim.worker == worker


COMMANDS = {"": move}
