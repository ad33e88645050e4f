"""Everything of an owner role in one service: its partitions, the readers that feed them, the clock, the plan."""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from random import SystemRandom
from typing import Any, NamedTuple, NoReturn

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from agents import exits
from agents.broker_state import BrokerState
from agents.clients import Clients
from agents.facts import MakeFacts
from agents.gauges import Gauges
from agents.partition import Partition, Wires
from agents.rebuild import Rebuilder
from agents.restoring import Archive, Restorer
from agents.snapshots import Snapshots
from agents.times import monotonic_ms, wall_ms
from agents.watchdog import Progress, Watchdog
from streams import collector
from streams.actions import Action
from streams.effects import Role
from streams.faust_app import LOGGER
from streams.fold import Fold
from streams.logs import Log
from streams.loop_guard import LoopGuard
from streams.machine import Member, PartitionMachine
from streams.metrics import WorkerMetrics
from streams.plan import Members, Plan, ask_members
from streams.pulse import ticks
from streams.snapshot_metrics import SnapshotMetrics
from streams.topics import LedgerTopics
from streams.vigil import CLOCK_LATE_MS, CLOCK_MS

UNFOLLOWED_S = 60.0
"""A partition that the plan wants followed elsewhere is kept so long: plans flap, and folding again is dear."""
WATCH_S = 1.0
ENDS_S = 5.0
ASK_S = 4.0
FRESH_S = 0.25
"""To ask who is there, before handing over to somebody: one request. Without an answer the last one has to do."""
YIELD_AGAIN_S = 1.5
FAREWELL_S = 6.0
"""To hand everything over: a Yield takes some milliseconds; asked again if it was lost, until its 5 s are over."""


class Charge(NamedTuple):
    """What a hub is made for. `program` owns the ledger of `topics`; `group`: the group whose plan it follows."""

    program: str
    fold: Fold[Any]
    facts: MakeFacts
    topics: LedgerTopics
    partitions: int
    log_id: bytes
    me: Member
    group: str
    takeover_ms: int
    archive: Archive


class Hub(Service):
    """An owner role's shell. Faust starts and stops it, and tells it what the group assigned."""

    logger = logging.getLogger(LOGGER)

    def __init__(self, charge: Charge, clients: Clients, metrics: WorkerMetrics, log: Log) -> None:
        super().__init__()
        of_snapshots = SnapshotMetrics(metrics.registry)
        self._charge = charge
        self._clients = clients
        self._metrics = metrics
        self._log = log
        self._partitions: dict[int, Partition] = {}
        self._plan = Plan(charge.me.incarnation, charge.partitions, frozenset(), None, {})
        self._unwanted_s: dict[int, float] = {}
        self._leaving = False
        self._planned = self._in_force = False
        self._broker = BrokerState(log)
        self._ends: dict[TopicPartition, int] = {}
        self._gauges = Gauges(metrics)
        self._watchdog = Watchdog(time.monotonic())
        self._guard = LoopGuard(self.end_hung)
        self._snapshots = Snapshots(self._partitions, charge.archive, charge.fold.name, charge.me, of_snapshots, log)
        self._loops: list[asyncio.Task[None]] = []
        self._wires = Wires(
            program=charge.program,
            topics=charge.topics,
            ledger=clients.ledger,
            facts=clients.facts,
            make_facts=charge.facts,
            commands=clients.commands,
            hot=clients.hot,
            tail=clients.tail,
            lookup=clients.lookup,
            rebuilder=Rebuilder(clients.catch_up, charge.topics.ledger.name, lambda: bool(self.owned)),
            restorer=Restorer(
                charge.archive, clients.lookup.ledger_record, lambda: bool(self.owned), of_snapshots, log
            ),
            metrics=metrics,
            log=log,
            exit=self._exit,
        )

    # --- life -----------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Follow everything until the group's members are known."""
        try:
            await self._clients.start()
        except KafkaError as error:
            self._exit(exits.UNAVAILABLE, f"the broker does not answer: {error!r}")
        collector.begin()
        self._follow()
        loops = (
            self._clients.hot.run(self._partitions),
            self._clients.tail.run(self._partitions),
            self._run_clock(),
            self._watch(),
            self._ask_ends(),
            collector.run(self._metrics.collected, collector.TOO_MANY),
            self._snapshots.run(),
        )
        self._loops = [asyncio.ensure_future(self._guarded(loop)) for loop in loops]
        self._guard.start()

    async def on_stop(self) -> None:
        """Stop feeding; what is owned by now will be taken over."""
        self._guard.stop()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await asyncio.gather(*(partition.stop() for partition in self._partitions.values()))
        await self._clients.stop()

    @property
    def owned(self) -> frozenset[int]:
        """Partitions that this worker decides."""
        return frozenset(number for number, partition in self._partitions.items() if partition.owned)

    async def hand_over(self) -> None:
        """Yield everything to whoever stands by, and wait until nothing is owned or the time is up."""
        self._leaving = True
        deadline_s = time.monotonic() + FAREWELL_S
        for partition in self._partitions.values():
            partition.retire()
        await self._ask_members(FRESH_S)
        asked_s = 0.0
        while not all(partition.settled for partition in self._partitions.values()):
            now_s = time.monotonic()
            if now_s > deadline_s:
                break
            if now_s - asked_s > YIELD_AGAIN_S:
                asked_s = now_s
                for number in self.owned:
                    self._partitions[number].hand_over(self._plan.successor(number))
            await asyncio.sleep(CLOCK_MS / 1000)

    # --- plan -----------------------------------------------------------------------------------------------------

    def on_assigned(self, numbers: frozenset[int]) -> None:
        """The group assigned these partitions of the plan topic, and no others."""
        if numbers != self._plan.assigned or not self._planned:
            self._log(Action.PLANNED, partitions=sorted(numbers))
        self._in_force = self._planned = True
        self._plan = self._plan._replace(assigned=numbers)
        self._tell_plan()

    def on_revoked(self) -> None:
        """A rebalance began. It does not end any ownership; the watchdog waits for the next assignment."""
        self._in_force = False

    async def ask_plan(self) -> None:
        """Every 5 s: who is in the group."""
        await self._ask_members(ASK_S)
        self._tell_plan()
        await self._follow_plan()

    async def _ask_members(self, within_s: float) -> None:
        members: Members | None = None
        try:
            async with asyncio.timeout(within_s):
                members = await ask_members(self._clients.admin, self._charge.group)
        except (KafkaError, TimeoutError) as error:
            self._broker.seen(away=repr(error))
        else:
            self._broker.seen(away="")
        if members is not None and members.keys() != self._plan.known.keys():
            self._log(Action.MEMBERS, members=sorted(members))
        self._plan = self._plan._replace(members=members, known=self._plan.known if members is None else members)

    def _tell_plan(self) -> None:
        incarnations = self._plan.incarnations
        for number, partition in self._partitions.items():
            partition.on_plan(number in self._plan.assigned, incarnations)

    async def _follow_plan(self) -> None:
        self._follow()
        wanted = self._plan.followed()
        now_s = time.monotonic()
        for number in sorted(self._partitions):
            partition = self._partitions[number]
            if number in wanted or partition.owned or partition.machine.claiming:
                self._unwanted_s.pop(number, None)
            elif now_s - self._unwanted_s.setdefault(number, now_s) > UNFOLLOWED_S:
                del self._unwanted_s[number]
                await self._partitions.pop(number).stop()
                self._gauges.forget(number)
                self._log(Action.COLD, partition=number)

    def _follow(self) -> None:
        charge = self._charge
        if self._leaving:
            return
        for number in sorted(self._plan.followed() - self._partitions.keys()):
            machine = PartitionMachine(
                charge.fold, number, charge.me, SystemRandom(), charge.takeover_ms, charge.log_id
            )
            self._partitions[number] = Partition(machine, self._wires)
            self._partitions[number].on_plan(number in self._plan.assigned, self._plan.incarnations)
            self._partitions[number].start()

    # --- loops ------------------------------------------------------------------------------------------------------

    async def _run_clock(self) -> None:
        """W8, W9: 25 ms, its own lateness measured."""
        async for late_s in ticks():
            self._guard.beat()
            self._metrics.late(late_s)
            if late_s * 1000 > CLOCK_LATE_MS:
                self._log(Action.LOOP_LATE, late_ms=int(late_s * 1000))
            now = monotonic_ms(), wall_ms()
            for partition in self._partitions.values():
                if not self._leaving or partition.owned:  # who leaves takes nothing over
                    partition.on_clock(*now)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            self._gauges.update(self._partitions.values())
            now_s = time.monotonic()
            beats_s = {"hot": self._clients.hot.beat_s, "tail": self._clients.tail.beat_s}
            assigned = (self._in_force and self._enlisted()) or self._broker.is_away
            reason = self._watchdog.why_hung(now_s, assigned=assigned, beats_s=beats_s, positions=self._positions())
            if reason:
                self.end_hung(reason)

    def _enlisted(self) -> bool:
        """Whether the group counts this process among its members, as far as is known."""
        return self._plan.members is None or self._charge.me.incarnation in self._plan.members

    def _positions(self) -> dict[str, Progress]:
        """What should be moving: the ledger of followed partitions, the commands of an owner who has none queued."""
        topics = self._charge.topics
        positions: dict[str, Progress] = {}
        for number, partition in self._partitions.items():
            machine = partition.machine
            ledger_end = self._ends.get(TopicPartition(topics.ledger.name, number))
            commands_end = self._ends.get(TopicPartition(topics.commands.name, number))
            if ledger_end is not None and machine.role in {Role.WARM, Role.OWNER}:
                positions[f"ledger {number}"] = Progress(machine.standstill.read_to, ledger_end)
            if commands_end is not None and machine.tenure and not machine.queued:
                positions[f"commands {number}"] = Progress(machine.tenure.next_command, commands_end)
        return positions

    async def _ask_ends(self) -> None:
        while True:
            try:
                async with asyncio.timeout(ASK_S):
                    self._ends = await self._clients.lookup.ends()
            except (KafkaError, TimeoutError):
                self._ends = {}
            await asyncio.sleep(ENDS_S)

    # --- ends -------------------------------------------------------------------------------------------------------

    async def _guarded(self, loop: Coroutine[Any, Any, None]) -> None:
        """A loop that ends is a bug or a broken client: the process ends too, and others take over."""
        task = asyncio.ensure_future(loop)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            raise
        self.end_failed(task.exception())

    def end_failed(self, error: BaseException | None) -> NoReturn:
        """A bug: end the process; others take over what it owned."""
        self._log(Action.FAILED, program=self._charge.program, reason=repr(error), error=error)
        self._exit(exits.SOFTWARE, repr(error))

    def end_hung(self, reason: str) -> None:
        """End the process; its supervisor starts another."""
        self._log(Action.HUNG, reason=reason)
        self._exit(exits.TEMPORARY, reason)

    def _exit(self, code: int, reason: str) -> NoReturn:
        """At once, without flushing anything to Kafka: what was written must not be written again by dying code."""
        self._log(Action.FAILED, program=self._charge.program, reason=f"exit {code}: {reason}")
        os._exit(code)
