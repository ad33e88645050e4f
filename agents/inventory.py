"""The inventory role: owns partitions of the stock ledger and decides who gets what.

`python -m agents inventory` composes it; `run` is apart so that a test may start a worker whose fold has a planted bug.
"""

import asyncio
import logging
import os
import secrets
from importlib.metadata import version
from time import monotonic
from typing import Any

import faust
import uvloop
from aiokafka import TopicPartition
from faust.types import AppT
from prometheus_client import start_http_server

from agents import exits
from agents.clients import make_clients
from agents.hub import Charge, Hub
from settings import WorkerSettings
from streams.actions import Action
from streams.faust_app import LOGGER, RoleWorker, plan_app
from streams.fold import Fold
from streams.identity import Identity, NoLogError, read_identity
from streams.kafka_log import KafkaLog
from streams.log import StalledError, UnknownTopicError
from streams.logs import Log, set_up_logging
from streams.machine import Member
from streams.metrics import WorkerMetrics
from streams.plan import SEPARATOR
from streams.runfile import NoBrokerError, resolve
from streams.topics import Topics, group_id, named

PROGRAM = "inventory"
PLAN_S = 5.0
NO_METRICS = -1


class WrongTopicsError(RuntimeError):
    """A topic does not have the P of GENESIS: this is not the log that it was. Do not start; look at the topics."""


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


def run(settings: WorkerSettings, fold: Fold[Any]) -> int:
    """Run until asked to stop; the exit code (agents/exits.py)."""
    name = settings.worker or f"worker-{os.getpid()}"
    me = Member(name, f"{name}{SEPARATOR}{secrets.token_hex(6)}", version("turnstile"))
    set_up_logging(settings.log_level, settings.log_format, program=PROGRAM, worker=name)
    log = Log("agents.inventory")
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    topics = named(settings.namespace)
    try:
        servers = resolve(settings)
        identity = loop.run_until_complete(_identify(servers, topics, me))
    except (NoBrokerError, NoLogError, StalledError) as error:
        log(Action.FAILED, program=PROGRAM, reason=str(error))
        return exits.UNAVAILABLE
    except (ValueError, WrongTopicsError) as error:
        log(Action.FAILED, program=PROGRAM, reason=str(error))
        return exits.CONFIGURATION
    metrics = WorkerMetrics()
    log(Action.STARTED, program=PROGRAM, incarnation=me.incarnation, metrics=_serve(metrics, settings.metrics_port))
    charge = Charge(
        fold=fold,
        topics=topics,
        partitions=identity.partitions,
        log_id=identity.log_id,
        me=me,
        group=group_id(settings.namespace, PROGRAM),
        takeover_ms=settings.takeover_ms,
    )
    clients = loop.run_until_complete(make_clients(servers, topics, identity.partitions, me.incarnation))
    hub = Hub(charge, clients, metrics, log)
    return _work(hub, _app(hub, charge, servers, log), loop, log)


async def _identify(servers: str, topics: Topics, me: Member) -> Identity:
    """The log's id and P, which every topic must have."""
    async with KafkaLog(servers, me.incarnation) as log:
        identity = await read_identity(log, topics)
        for topic in topics:
            await log.end(topic.name, identity.partitions - 1)
            try:
                await log.end(topic.name, identity.partitions)
            except UnknownTopicError:
                continue
            message = f"{topic.name} has more than the {identity.partitions} partitions of GENESIS: P must not change"
            raise WrongTopicsError(message)
    return identity


def _serve(metrics: WorkerMetrics, port: int) -> str:
    """Prometheus' endpoint; its address, "" if none is wanted."""
    if port == NO_METRICS:
        return ""
    server, _ = start_http_server(port, addr="127.0.0.1", registry=metrics.registry)
    return f"127.0.0.1:{server.server_port}"


def _app(hub: Hub, charge: Charge, servers: str, log: Log) -> faust.App:
    app = plan_app(servers, charge.group, charge.me.incarnation, charge.topics.plan.name)
    app.sensors.add(GroupSensor(log))

    async def assigned(_: object, /, *args: set[TopicPartition], **__: object) -> None:
        (sources,) = args
        hub.on_assigned(frozenset(source.partition for source in sources))

    async def revoked(_: object, /, *__: object, **___: object) -> None:
        hub.on_revoked()

    app.on_partitions_assigned.connect(assigned)
    app.on_partitions_revoked.connect(revoked)
    app.timer(interval=PLAN_S, name="plan")(hub.ask_plan)
    return app


def _work(hub: Hub, app: faust.App, loop: asyncio.AbstractEventLoop, log: Log) -> int:
    async def stopping() -> None:
        log(Action.STOPPING, program=PROGRAM, reason="asked to")
        await hub.hand_over()

    def failed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception in a callback is a bug that would else only be logged: end, and let others take over."""
        if "handle" in context:
            hub.end_failed(context.get("exception"))
        loop.default_exception_handler(context)

    loop.set_exception_handler(failed)
    worker = RoleWorker(app, hub, stopping=stopping, hung=hub.end_hung, loop=loop)
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else exits.SOFTWARE
    if code:
        log(Action.FAILED, program=PROGRAM, reason=f"Faust ended with {code}")
        return exits.SOFTWARE
    log(Action.STOPPED, program=PROGRAM)
    return exits.STOPPED
