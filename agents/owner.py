"""An owner role as a process: owns partitions of one ledger and decides its commands, whatever the fold.

agents/inventory.py and agents/order.py compose the two that there are.
"""

from typing import Any, NamedTuple

import faust
from aiokafka import TopicPartition

from agents.clients import make_clients
from agents.facts import MakeFacts
from agents.hub import Charge, Hub
from agents.program import Program, begin, work
from agents.restoring import Archive
from settings import WorkerSettings
from streams.faust_app import plan_app
from streams.fold import Fold
from streams.metrics import WorkerMetrics
from streams.topics import LedgerTopics, Topic, Topics, group_id

PLAN_S = 5.0


class OwnerRole(NamedTuple):
    """Which ledger a program owns. `also`: topics that it writes besides the ledger's and the plan's."""

    program: str
    fold: Fold[Any]
    facts: MakeFacts
    topics: LedgerTopics
    also: tuple[Topic, ...] = ()


def own(settings: WorkerSettings, catalogue: Topics, role: OwnerRole) -> int:
    """Run until asked to stop; the exit code (agents/exits.py). `role` is of the topics in `catalogue`."""
    topics, metrics = role.topics, WorkerMetrics()
    program = begin(settings, role.program, catalogue, (*topics[1:], catalogue.plan, *role.also), metrics)
    if isinstance(program, int):
        return program
    charge = Charge(
        program=role.program,
        fold=role.fold,
        facts=role.facts,
        topics=topics,
        partitions=program.identity.partitions,
        log_id=program.identity.log_id,
        me=program.me,
        group=group_id(settings.namespace, role.program),
        takeover_ms=settings.takeover_ms,
        archive=Archive(settings.data_dir, settings.namespace, role.fold.name, settings.snapshot_after),
    )
    clients = program.loop.run_until_complete(
        make_clients(program.servers, topics, charge.partitions, charge.me.incarnation)
    )
    hub = Hub(charge, clients, metrics, program.log)
    return work(program, _app(hub, program, charge.group, catalogue.plan), hub, hub, hub.hand_over)


def _app(hub: Hub, program: Program, group: str, plan: Topic) -> faust.App:
    app = plan_app(program.servers, group, program.me.incarnation, plan.name)

    async def assigned(_: object, /, *args: set[TopicPartition], **__: object) -> None:
        (sources,) = args
        hub.on_assigned(frozenset(source.partition for source in sources))

    async def revoked(_: object, /, *__: object, **___: object) -> None:
        hub.on_revoked()

    app.on_partitions_assigned.connect(assigned)
    app.on_partitions_revoked.connect(revoked)
    app.timer(interval=PLAN_S, name="plan")(hub.ask_plan)
    return app
