"""An owner role as a process: owns partitions of one ledger and decides its commands, whatever the fold.

agents/inventory.py and agents/order.py compose the two that there are.
"""

import asyncio
import logging
import os
import secrets
from importlib.metadata import version
from time import monotonic
from typing import Any, NamedTuple

import faust
import uvloop
from aiokafka import TopicPartition
from faust.types import AppT
from prometheus_client import start_http_server

from agents import exits
from agents.clients import make_clients
from agents.facts import MakeFacts
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
from streams.topics import LedgerTopics, Topic, Topics, group_id

PLAN_S = 5.0
NO_METRICS = -1


class WrongTopicsError(RuntimeError):
    """A topic does not have the P of GENESIS: this is not the log that it was. Do not start; look at the topics."""


class OwnerRole(NamedTuple):
    """Which ledger a program owns. `also`: topics that it writes besides the ledger's and the plan's."""

    program: str
    fold: Fold[Any]
    facts: MakeFacts
    topics: LedgerTopics
    also: tuple[Topic, ...] = ()


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


def own(settings: WorkerSettings, catalogue: Topics, role: OwnerRole) -> int:
    """Run until asked to stop; the exit code (agents/exits.py). `role` is of the topics in `catalogue`."""
    program, topics = role.program, role.topics
    name = settings.worker or f"{program}-{os.getpid()}"
    me = Member(name, f"{name}{SEPARATOR}{secrets.token_hex(6)}", version("turnstile"))
    set_up_logging(settings.log_level, settings.log_format, program=program, worker=name)
    log = Log(f"agents.{program}")
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    needed = (*topics[1:], catalogue.plan, *role.also)
    try:
        servers = resolve(settings)
        identity = loop.run_until_complete(_identify(servers, catalogue, needed, me))
    except (NoBrokerError, NoLogError, StalledError, UnknownTopicError) as error:
        log(Action.FAILED, program=program, reason=str(error))
        return exits.UNAVAILABLE
    except (ValueError, WrongTopicsError) as error:
        log(Action.FAILED, program=program, reason=str(error))
        return exits.CONFIGURATION
    metrics = WorkerMetrics()
    log(Action.STARTED, program=program, incarnation=me.incarnation, metrics=_serve(metrics, settings.metrics_port))
    charge = Charge(
        program=program,
        fold=role.fold,
        facts=role.facts,
        topics=topics,
        partitions=identity.partitions,
        log_id=identity.log_id,
        me=me,
        group=group_id(settings.namespace, program),
        takeover_ms=settings.takeover_ms,
    )
    clients = loop.run_until_complete(make_clients(servers, topics, identity.partitions, me.incarnation))
    hub = Hub(charge, clients, metrics, log)
    return _work(hub, _app(hub, charge, servers, catalogue.plan, log), program, loop, log)


async def _identify(servers: str, catalogue: Topics, needed: tuple[Topic, ...], me: Member) -> Identity:
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


def _serve(metrics: WorkerMetrics, port: int) -> str:
    """Prometheus' endpoint; its address, "" if none is wanted."""
    if port == NO_METRICS:
        return ""
    server, _ = start_http_server(port, addr="127.0.0.1", registry=metrics.registry)
    return f"127.0.0.1:{server.server_port}"


def _app(hub: Hub, charge: Charge, servers: str, plan: Topic, log: Log) -> faust.App:
    app = plan_app(servers, charge.group, charge.me.incarnation, plan.name)
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


def _work(hub: Hub, app: faust.App, program: str, loop: asyncio.AbstractEventLoop, log: Log) -> int:
    async def stopping() -> None:
        log(Action.STOPPING, program=program, reason="asked to")
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
        log(Action.FAILED, program=program, reason=f"Faust ended with {code}")
        return exits.SOFTWARE
    log(Action.STOPPED, program=program)
    return exits.STOPPED
