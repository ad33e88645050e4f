"""`turnstile move`: who should own a partition."""

import asyncio
import time
from typing import Annotated

import typer

from ops.cli.complaint import Complaint
from ops.cli.output import Json, print_json
from ops.cli.session import run, servers_of, settings_of
from ops.group import members, name_of
from ops.move import YIELD_MS, Mover
from ops.survey import PartitionState
from streams.kafka_log import KafkaLog
from streams.topics import named

AUTO = "auto"
WAIT_S = 2 * YIELD_MS / 1000
POLL_S = 0.1


def move(
    ctx: typer.Context,
    partition: Annotated[int, typer.Argument(min=0, help="Which; `turnstile owners` lists them.")],
    worker: Annotated[str, typer.Argument(help="The worker's name, or `auto`: as the consumer group plans.")],
    json: Json = False,
) -> None:
    """Move a partition to a worker and keep it there while that worker lives; `auto` lets it go again."""
    settings = settings_of(ctx)
    state, seconds = run(_move(servers_of(settings), settings.namespace, partition, worker))
    owner = state.claim.worker if state.claim else ""
    if json:
        print_json({"partition": partition, "owner": owner, "epoch": state.epoch, "seconds": round(seconds, 3)})
    elif worker == AUTO:
        typer.echo(f"partition {partition} goes where the consumer group plans it; {owner or 'nobody'} owns it now")
    else:
        typer.echo(f"{owner} owns partition {partition} at epoch {state.epoch}, after {seconds:.1f} s")


async def _move(servers: str, namespace: str, partition: int, worker: str) -> tuple[PartitionState, float]:
    async with KafkaLog(servers, "turnstile-move") as log:
        mover = Mover(log, named(namespace))
        try:
            state = await mover.state(partition)
        except LookupError as error:
            raise Complaint(what=str(error)) from error
        live = sorted({name_of(member) for member in await members(servers, namespace)})
        if worker not in {AUTO, *live}:
            known = ", ".join(live) or "none"
            raise Complaint(what=f"no worker named {worker} is in the consumer group; there are: {known}")
        started = time.monotonic()
        log_ms = await mover.pin(partition, "" if worker == AUTO else worker)
        if worker == AUTO:
            return state, time.monotonic() - started
        if not _owns(state, worker):
            await mover.ask_to_yield(state, worker, log_ms)
        while not _owns(state := await mover.state(partition), worker):
            if time.monotonic() - started > WAIT_S:
                owner = state.claim.worker if state.claim else "nobody"
                raise Complaint(
                    what=f"{owner} still owns partition {partition} after {WAIT_S:.0f} s",
                    fix=f"look with `turnstile owners`; `turnstile move {partition} auto` takes the pin off",
                )
            await asyncio.sleep(POLL_S)
        return state, time.monotonic() - started


def _owns(state: PartitionState, worker: str) -> bool:
    return state.is_owned and state.claim is not None and state.claim.worker == worker


COMMANDS = {"": move}
