"""`turnstile up`: the whole system in the foreground."""

import asyncio
import json
import signal
from typing import Annotated

import typer
from rich.console import Console

from ops import gateways_file
from ops.cli.session import run, settings_of, token_of
from ops.cli.starting import STARTING
from ops.deployment import Deployment
from ops.jars import progress_bar
from ops.log_tail import LogTail
from ops.roster import Shape
from ops.supervisor import Event
from settings import Shared

TAIL_S = 0.2
STARTED = "started"


def up(
    ctx: typer.Context,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Inventory workers.")] = 2,
    orders: Annotated[int, typer.Option(min=1, max=64, help="Order workers.")] = 2,
    gateways: Annotated[int, typer.Option(min=1, max=64, help="Gateways, at ports from --port on.")] = 2,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the first gateway.")] = 8080,
    partitions: Annotated[int, typer.Option(min=0, max=1024, help="P, the first time. 0: as the settings say.")] = 0,
) -> None:
    """Start a broker, workers, agents and gateways on this machine and keep them running; Ctrl-C stops everything.

    Data, keys and logs are in TURNSTILE_DATA_DIR. With TURNSTILE_BROKER=kafka://... that broker is used.
    """
    settings = settings_of(ctx)
    if partitions:
        settings = settings.model_copy(update={"partitions": partitions})
    shape = Shape(workers, tuple(range(port, port + gateways)), {}, orders)
    run(_Session(settings, shape).run(), STARTING)


class _Session:
    def __init__(self, settings: Shared, shape: Shape) -> None:
        self._settings = settings
        self._shape = shape
        self._console = Console()
        self._stopping = asyncio.Event()
        self._serving = False

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        with progress_bar(self._console, "fetching Kafka") as report:
            deployment = Deployment(self._settings, self._shape, self._say, self._on_event, report)
            starting = asyncio.create_task(deployment.start())
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        try:
            if starting.done():
                starting.result()
                gateways_file.write(self._settings.data_dir, deployment.urls, deployment.payments)
                self._serving = True
                self._invite(deployment)
                await self._follow_logs(deployment)
            starting.cancel()
        finally:
            if deployment.has_begun:
                self._say("stopping ...")
            if self._serving:  # else the file may be that of another `up`
                gateways_file.remove(self._settings.data_dir)
            await deployment.stop()
            stopping.cancel()
            if deployment.has_begun:
                self._say("stopped")

    async def _follow_logs(self, deployment: Deployment) -> None:
        tail = LogTail()
        supervisor = deployment.supervisor
        while not self._stopping.is_set():
            for name in supervisor.names:
                for line in tail.lines(supervisor.log(name)):
                    self._say(_shortened(name, line))
            await asyncio.wait([asyncio.create_task(self._stopping.wait())], timeout=TAIL_S)
        tail.close()

    def _on_event(self, event: Event) -> None:
        if self._serving or event.what != STARTED:
            self._say(f"{event.name} (process {event.pid}) {event.what} {event.detail}".rstrip())

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _invite(self, deployment: Deployment) -> None:
        url = deployment.urls[0]
        token = token_of(self._settings, "c1")
        self._say(f"""
turnstile is up: gateways at {", ".join(deployment.urls)}; broker at {deployment.servers}; Ctrl-C stops it.
Running: {", ".join(deployment.supervisor.names)}. Payments by {deployment.payments}
Data and logs: {self._settings.data_dir}

Try, in another terminal:

  turnstile seed
  turnstile buy poster-a2 --customer c1
  turnstile owners

  curl -i {url}/v1/orders -H 'Prefer: wait=2' -H 'Idempotency-Key: first' \\
    -H 'Content-Type: application/json' -d '{{"items":[{{"sku":"poster-a2","quantity":1}}]}}' \\
    -H 'Authorization: Bearer {token}'
""")


def _shortened(name: str, line: str) -> str:
    """A JSON log line as a person would read it; anything else as it is."""
    try:
        entry = json.loads(line)
        return f"{entry['time'][11:23]} {name:10} {entry['level']:8} {entry['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{name}: {line}"


COMMANDS = {"": up}
