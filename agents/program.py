"""A role as a process, whatever the role: its name, its log, which log of ours it works on, its end."""

import asyncio
import logging
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from time import monotonic
from typing import Any, NamedTuple, NoReturn, Protocol

import faust
import uvloop
from faust.types import AppT
from mode import ServiceT
from prometheus_client import start_http_server

from agents import exits
from settings import AgentSettings
from streams.actions import Action
from streams.faust_app import LOGGER, RoleWorker
from streams.identity import Identity, NoLogError, read_identity
from streams.kafka_log import KafkaLog
from streams.log import StalledError, UnknownTopicError
from streams.logs import Log, set_up_logging
from streams.machine import Member
from streams.metrics import Metrics
from streams.plan import SEPARATOR
from streams.runfile import NoBrokerError, resolve
from streams.topics import Topic, Topics

NO_METRICS = -1


class WrongTopicsError(RuntimeError):
    """A topic does not have the P of GENESIS: this is not the log that it was. Do not start; look at the topics."""


class Program(NamedTuple):
    """A started process. `servers` is host:port,host:port; `identity`: the log's id and P."""

    name: str
    me: Member
    servers: str
    identity: Identity
    loop: asyncio.AbstractEventLoop
    log: Log


class Ends(Protocol):
    """Ends the process at once. What a process runs is its own."""

    def end_failed(self, error: BaseException | None) -> NoReturn:
        """A bug: nothing more is written."""

    def end_hung(self, reason: str) -> None:
        """The process hangs."""


class GroupSensor(faust.Sensor):
    """Tells the log how long the group's rebalances take. Ownership does not wait for them."""

    logger = logging.getLogger(LOGGER)

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def on_rebalance_start(self, app: AppT) -> dict[str, float]:  # noqa: ARG002 - Faust's signature
        """A member came or went."""
        return {"began_s": monotonic()}

    def on_rebalance_end(self, app: AppT, state: dict[str, float]) -> None:  # noqa: ARG002 - Faust's signature
        """The new plan is in force."""
        self._log(Action.REBALANCED, took_ms=int((monotonic() - state["began_s"]) * 1000))


def begin(
    settings: AgentSettings, name: str, catalogue: Topics, needed: Sequence[Topic], metrics: Metrics
) -> Program | int:
    """Set up the log, the loop and the metrics' endpoint, and look at the topics; the exit code if that fails."""
    worker = settings.worker or f"{name}-{os.getpid()}"
    me = Member(worker, f"{worker}{SEPARATOR}{secrets.token_hex(6)}", version("turnstile"))
    set_up_logging(settings.log_level, settings.log_format, program=name, worker=worker)
    log = Log(f"agents.{name}")
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        servers = resolve(settings)
        identity = loop.run_until_complete(_identify(servers, catalogue, needed, me))
    except (NoBrokerError, NoLogError, StalledError, UnknownTopicError) as error:
        log(Action.FAILED, program=name, reason=str(error))
        return exits.UNAVAILABLE
    except (ValueError, WrongTopicsError) as error:
        log(Action.FAILED, program=name, reason=str(error))
        return exits.CONFIGURATION
    log(Action.STARTED, program=name, incarnation=me.incarnation, metrics=_serve(metrics, settings.metrics_port))
    return Program(name, me, servers, identity, loop, log)


async def _identify(servers: str, catalogue: Topics, needed: Sequence[Topic], me: Member) -> Identity:
    """The log's id and P, which every topic that this role needs must have."""
    async with KafkaLog(servers, me.incarnation) as log:
        identity = await read_identity(log, catalogue)
        for topic in needed:
            await log.end(topic.name, identity.partitions - 1)
            try:
                await log.end(topic.name, identity.partitions)
            except UnknownTopicError:
                continue
            message = f"{topic.name} has more than the {identity.partitions} partitions of GENESIS: P must not change"
            raise WrongTopicsError(message)
    return identity


def _serve(metrics: Metrics, port: int) -> str:
    """Prometheus' endpoint; its address, "" if none is wanted."""
    if port == NO_METRICS:
        return ""
    server, _ = start_http_server(port, addr="127.0.0.1", registry=metrics.registry)
    return f"127.0.0.1:{server.server_port}"


def work(
    program: Program, app: faust.App, service: ServiceT, ends: Ends, stopping: Callable[[], Awaitable[None]]
) -> int:
    """Run the service and the app until asked to stop, which awaits `stopping` first; the exit code."""
    log = program.log
    app.sensors.add(GroupSensor(log))

    async def leave() -> None:
        log(Action.STOPPING, program=program.name, reason="asked to")
        await stopping()

    def failed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception in a callback is a bug that would else only be logged: end, and let others take over."""
        if "handle" in context:
            ends.end_failed(context.get("exception"))
        loop.default_exception_handler(context)

    program.loop.set_exception_handler(failed)
    worker = RoleWorker(app, service, stopping=leave, hung=ends.end_hung, loop=program.loop)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else exits.SOFTWARE
    if code:
        log(Action.FAILED, program=program.name, reason=f"Faust ended with {code}")
        return exits.SOFTWARE
    log(Action.STOPPED, program=program.name)
    return exits.STOPPED
