"""The whole system on this machine: broker, topics, keys and programs, for `turnstile up` and the demo."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import aiohttp

from adapters.stand_in.urls import http_address
from ops.broker import EmbeddedBroker
from ops.broker_node import BrokerError
from ops.group import members
from ops.jars import Report
from ops.partitions import wanted_partitions
from ops.roster import HOST, STAND_IN, Roster, Shape
from ops.supervisor import Event, Supervisor, backoff_s
from ops.survey import survey
from ops.topics_apply import Applied, apply
from settings import Shared
from streams import keys, runfile
from streams.kafka_log import KafkaLog
from streams.topics import Ledger, Topics, named

CLIENT_ID = "turnstile-up"
READY_S = 120.0
"""A dozen programs import and join in about 8 s on two idle cores; a busy machine gets fifteen times that."""
POLL_S = 0.1
EXITS_MAX = 3
"""A program that ends so often before it was ever ready will not get better by waiting."""
LOG_TAIL_LINES = 15
OK = 200


class DeploymentError(RuntimeError):
    """The system does not come up; the message says which part, and shows the end of its log."""


Say = Callable[[str], None]


class Deployment:
    """Start and stop it on the main thread's loop. `say` gets a line for people at each step."""

    def __init__(
        self, settings: Shared, shape: Shape, say: Say, on_event: Callable[[Event], None], report: Report | None = None
    ) -> None:
        self.settings = settings
        self.shape = shape
        self.topics: Topics = named(settings.namespace)
        self.servers = ""
        self.urls: list[str] = []
        self.payments = settings.payments
        """Where the agents reach the payment provider, once the programs are started."""
        self.supervisor = Supervisor(settings.data_dir / "logs", on_event)
        self._say = say
        self._report = report
        self._broker: EmbeddedBroker | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._applied: Applied | None = None

    @property
    def partitions(self) -> int:
        """P, once the topics are applied."""
        return self._applied.partitions if self._applied else self.settings.partitions

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to stop."""
        return self._broker is not None or bool(self.supervisor.names)

    @property
    def broker_pid(self) -> int | None:
        """Of the embedded broker; None while it is down, or if it is somebody else's."""
        return self._broker.pid if self._broker and self._broker.is_running else None

    async def start(self) -> None:
        """Return when every gateway takes requests and every partition decides.

        NoBrokerError, BrokerError, JarError, TopicsError, KeysError, StalledError or DeploymentError; then too, call
        `stop`.
        """
        keys.ensure(self.settings.data_dir)
        self._check_alone()
        if self.settings.broker == runfile.EMBEDDED:
            await self._start_broker()
        else:
            self.servers = runfile.resolve(self.settings)
        with self._step("topics"):
            partitions = await wanted_partitions(self.servers, self.topics, self.settings)
            self._applied = await apply(self.servers, self.topics, partitions)
        for change in self._applied.changes:
            self._say(f"  {change}")
        if self._broker is not None:
            self._write_run_file()
            self._keeper = asyncio.create_task(self._keep_broker())
        roster = self._roster()
        with self._step(f"{len(roster.programs)} programs ({', '.join(one.name for one in roster.programs)})"):
            for program in roster.programs:
                await self.supervisor.start(program)
            await self._until_ready(roster)

    async def stop(self) -> None:
        """Gateways first, then agents, owners, the broker last."""
        if self._keeper is not None:
            self._keeper.cancel()
        await self.supervisor.stop_all()
        if self._broker is not None:
            runfile.remove(self.settings.data_dir)
            await asyncio.to_thread(self._broker.stop)

    # --- broker ---------------------------------------------------------------------------------------------------

    def _check_alone(self) -> None:
        """Said at once, not when the broker has started: another of these runs, or a port is taken."""
        if self.settings.broker == runfile.EMBEDDED:
            with contextlib.suppress(runfile.NoBrokerError):
                run = runfile.read(self.settings.data_dir)
                message = f"it is running already: process {run.pid}, broker {run.address}, in {self.settings.data_dir}"
                raise DeploymentError(message)
        for port in self.shape.ports:
            free_port(port)

    async def _start_broker(self) -> None:
        broker = EmbeddedBroker(
            self.settings.data_dir / "broker",
            self.settings.cache_dir,
            mirror=self.settings.mirror,
            options=self.settings.broker_jvm.split(),
            report=self._report,
        )
        self._broker = broker
        with self._step("Kafka"):
            await broker.start_async()
        self.servers = broker.address

    async def _keep_broker(self) -> None:
        """Start it again, on its data and port, when it ends by itself."""
        broker, exits = self._broker, 0
        while broker is not None:
            await asyncio.sleep(POLL_S)
            if broker.is_running:
                continue
            exits += 1
            self._say(f"the broker has ended; starting it again (its log: {broker.node.log})")
            await asyncio.sleep(backoff_s(exits))
            try:
                await broker.start_async()
            except BrokerError as error:
                self._say(f"the broker does not start: {error}")
            else:
                exits = 0
                self._say("the broker is back")

    def _write_run_file(self) -> None:
        if self._applied is not None:
            run = runfile.Run(self.servers, os.getpid(), self._applied.partitions, self._applied.log_id)
            runfile.write(self.settings.data_dir, run)

    # --- programs -------------------------------------------------------------------------------------------------

    def _roster(self) -> Roster:
        ports = tuple(free_port(port) for port in self.shape.ports)
        roster = Roster(self.settings, self.shape, self.partitions, ports, free_port(0))
        self.urls, self.payments = roster.urls, roster.payments
        return roster

    async def _until_ready(self, roster: Roster) -> None:
        """Gateways take requests (their own writes were acked), agents have partitions, no command waits."""
        end = time.monotonic() + READY_S
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as session, KafkaLog(self.servers, CLIENT_ID) as log:
            gateways, agents, ledgers = list(roster.urls), list(roster.agents), list(roster.ledgers)
            while gateways or agents or ledgers or not await self._takes_payments():
                gateways = [url for url in gateways if not await _is_ready(session, url)]
                ledgers = [ledger for ledger in ledgers if await self._lagging(log, ledger)]
                agents = [role for role in agents if not await self._serves(role)]
                self._check_exits()
                if time.monotonic() > end:
                    waiting = [*gateways, *agents, *(f"an owner of {ledger}" for ledger in ledgers)]
                    waiting = waiting or [self.payments]
                    message = f"not ready after {READY_S:.0f} s: {', '.join(waiting)}"
                    raise DeploymentError(message + self._log_tails())
                await asyncio.sleep(POLL_S)

    async def _lagging(self, log: KafkaLog, ledger: Ledger) -> bool:
        return any(state.lag or not state.is_owned for state in await survey(log, self.topics, ledger))

    async def _serves(self, role: str) -> bool:
        """The agent's group has given it every partition."""
        group = await members(self.servers, self.settings.namespace, role)
        return len(frozenset().union(*group.values())) == self.partitions

    async def _takes_payments(self) -> bool:
        """Whether the stand-in answers, if there is one of ours."""
        if STAND_IN not in self.supervisor.names:
            return True
        address = urlsplit(http_address(self.payments))
        try:
            _, writer = await asyncio.open_connection(address.hostname, address.port)
        except OSError:
            return False
        writer.close()
        return True

    def _check_exits(self) -> None:
        for name in self.supervisor.names:
            if self.supervisor.exits(name) >= EXITS_MAX:
                message = f"{name} has ended {EXITS_MAX} times:\n{_tail(self.supervisor, name)}"
                raise DeploymentError(message)

    def _log_tails(self) -> str:
        return "".join(f"\n{name}:\n{_tail(self.supervisor, name)}" for name in self.supervisor.names)

    @contextlib.contextmanager
    def _step(self, title: str) -> Iterator[None]:
        started = time.monotonic()
        self._say(f"starting {title} ..." if title != "topics" else "checking the topics ...")
        yield
        self._say(f"  ready after {time.monotonic() - started:.1f} s")


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens there, any free one for 0; DeploymentError if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            message = f"port {wanted} cannot be used ({error.strerror}): choose another with --port"
            raise DeploymentError(message) from error
        port: int = probe.getsockname()[1]
        return port


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/readyz") as response:
            return response.status == OK
    except (aiohttp.ClientError, TimeoutError):
        return False


def _tail(supervisor: Supervisor, name: str) -> str:
    lines = supervisor.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-LOG_TAIL_LINES:])
