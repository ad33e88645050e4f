"""The frame of the stateless roles: a Faust agent that hands chunks to a handler, and what every process needs.

A handler has one duty: what it was handed is done when `take` returns, or will be asked for again. An exception in it
ends the process (its supervisor starts another, which goes on behind the last commit): bad input is the handler's to
answer or to put away, so what comes out is a broken client or a bug.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol, cast, runtime_checkable

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from mode import Service

from agents import exits
from agents.appender import Appender
from agents.broker_state import BrokerState
from agents.command_writer import CommandWriter
from agents.program import Program, begin, work
from agents.watchdog import Progress, Watchdog
from domain.roles import Role
from settings import AgentSettings
from streams import collector, kafka, pulse
from streams.actions import Action
from streams.chunks import PACE_MS, Chunk, ChunkConsumer, chunk_app
from streams.faust_app import LOGGER
from streams.identity import Identity
from streams.logs import Log
from streams.loop_guard import LoopGuard
from streams.metrics import AgentMetrics
from streams.order_records import BATCHES as ORDER_BATCHES
from streams.plan import ask_members
from streams.records import BatchCodec
from streams.stock_records import BATCHES as STOCK_BATCHES
from streams.topics import Topic, Topics, group_id, named

WATCH_S = 1.0
ENDS_S = 5.0
ASK_S = 4.0
FAREWELL_S = 5.0
"""To finish the chunk at hand; one that takes longer is done again by whoever gets the partition."""


class Context(NamedTuple):
    """What a handler works with.

    `watch` runs a coroutine beside the chunks, whose end by exception ends the process. `members`: processes of this
    role that are alive, 0 while that is not known yet. `excuse(True)`: the chunk at hand waits for something outside
    that is away, so standing still is no hanging; until `excuse(False)`.
    """

    servers: str
    topics: Topics
    identity: Identity
    sender: str
    log: Log
    metrics: AgentMetrics
    watch: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
    members: Callable[[], int]
    excuse: Callable[[bool], None]

    def producer(self, name: str) -> AIOKafkaProducer:
        """An idempotent producer, not started; `name` tells it from this process's others."""
        return kafka.producer(self.servers, f"{self.sender}-{name}")

    def appender(self, name: str) -> Appender:
        """What appends until it is acked, not started."""
        return Appender(lambda: self.producer(name), self.log)

    def stock_commands(self, role: Role) -> CommandWriter:
        """A writer of stock commands, not started."""
        return self._commands("stock", self.topics.stock_commands, STOCK_BATCHES, role)

    def order_commands(self, role: Role) -> CommandWriter:
        """A writer of order commands, not started."""
        return self._commands("orders", self.topics.order_commands, ORDER_BATCHES, role)

    def _commands(self, name: str, topic: Topic, codec: BatchCodec[Any], role: Role) -> CommandWriter:
        log_id, wrote = self.identity.log_id, self.metrics.wrote
        return CommandWriter(self.appender(name), topic.name, codec, log_id, role, self.sender, wrote)


class Handler(Protocol):
    """One role's work."""

    async def start(self, context: Context) -> None:
        """Connect, before the first chunk. KafkaError or OSError: not reachable, the process ends (69)."""

    async def take(self, source: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        """Records of one partition, ascending; some may have been handed over before (to this process or another)."""

    async def stop(self) -> None:
        """Disconnect; no chunk is at hand."""


@runtime_checkable
class Leaver(Protocol):
    """A handler that has more at hand than its chunk."""

    async def leave(self) -> None:
        """Asked to stop: finish it. Cancelled when that takes longer than FAREWELL_S."""


@runtime_checkable
class Gatherer(Protocol):
    """A handler that is handed all that waits at once: chunks of several partitions, of one in their order."""

    async def start(self, context: Context) -> None:
        """As Handler's."""

    async def take_all(self, chunks: Sequence[Chunk]) -> None:
        """As Handler's `take`; all are handled when this returns."""

    async def stop(self) -> None:
        """As Handler's."""


class Duty(NamedTuple):
    """A role: its name, the topics that it reads, those that it writes, and how long a chunk may wait to grow."""

    program: str
    reads: Sequence[Topic]
    writes: Sequence[Topic]
    pace_ms: int = PACE_MS


def run(settings: AgentSettings, duty: Duty, handler: Handler | Gatherer, metrics: AgentMetrics | None = None) -> int:
    """Run until asked to stop; the exit code (agents/exits.py). `metrics`: for a role that counts more than others."""
    catalogue, metrics = named(settings.namespace), metrics or AgentMetrics()
    program = begin(settings, duty.program, catalogue, (*duty.reads, *duty.writes), metrics)
    if isinstance(program, int):
        return program
    shell = Shell(handler, duty, program, group_id(settings.namespace, duty.program), catalogue, metrics)
    return work(program, shell.app, shell, shell, shell.leave)


class Shell(Service):
    """The service around a handler. Faust starts it before the app and stops it after."""

    logger = logging.getLogger(LOGGER)

    def __init__(
        self,
        handler: Handler | Gatherer,
        duty: Duty,
        program: Program,
        group: str,
        topics: Topics,
        metrics: AgentMetrics,
    ) -> None:
        super().__init__()
        self.members = 0
        self.app = chunk_app(
            program.servers,
            group,
            program.me.incarnation,
            [topic.name for topic in duty.reads],
            self.take,
            gathers=isinstance(handler, Gatherer),
            pace_ms=duty.pace_ms,
        )
        self.app.on_partitions_assigned.connect(self._on_assigned)
        self.app.on_partitions_revoked.connect(self._on_revoked)
        self._context = Context(
            program.servers,
            topics,
            program.identity,
            program.me.incarnation,
            program.log,
            metrics,
            self.watch,
            lambda: self.members,
            self.excuse,
        )
        self._handler = handler
        self._program = duty.program
        self._group = group
        self._log = program.log
        self._metrics = metrics
        self._busy = asyncio.Lock()
        self._watchdog = Watchdog(time.monotonic())
        self._guard = LoopGuard(self.end_hung)
        self._beside: set[asyncio.Task[None]] = set()
        self._assigned: frozenset[TopicPartition] | None = None
        self._in_force = False
        self._broker = BrokerState(program.log)
        self._positions: dict[str, Progress] = {}
        self._is_excused = False

    # --- life -----------------------------------------------------------------------------------------------------

    async def on_start(self) -> None:
        """Connect the handler."""
        try:
            await self._handler.start(self._context)
        except (KafkaError, OSError) as error:
            self._exit(exits.UNAVAILABLE, f"cannot start: {error!r}")
        collector.begin()
        self._guard.start()
        for loop in (self._beat(), self._look(), pulse.run(self._metrics.late), collector.run(self._metrics.collected)):
            self.watch(loop)

    async def on_stop(self) -> None:
        """Stop what runs beside the chunks, disconnect the handler."""
        self._guard.stop()
        tasks = list(self._beside)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._handler.stop()

    async def leave(self) -> None:
        """Finish what is at hand, if that is soon done, and begin no other chunk."""
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._busy.acquire()
                if isinstance(self._handler, Leaver):
                    await self._handler.leave()
        except TimeoutError:
            self._log(Action.STOPPING, program=self._program, reason="something is left undone")

    def excuse(self, is_excused: bool) -> None:  # noqa: FBT001 - it is a state
        """Whether standing still is for something outside that is away."""
        self._is_excused = is_excused

    def watch(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run it beside the chunks; an exception in it ends the process, its own end does not."""
        task = asyncio.ensure_future(work)
        self._beside.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._beside.discard(task)
        if not task.cancelled() and task.exception():
            self.end_failed(task.exception())

    # --- chunks ---------------------------------------------------------------------------------------------------

    async def take(self, chunks: Sequence[Chunk]) -> None:
        """Have the handler do it; an exception ends the process."""
        async with self._busy:
            began_s = time.monotonic()
            task = asyncio.ensure_future(self._handle(chunks))
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                task.cancel()
                raise
            if task.exception():
                self.end_failed(task.exception())
            seconds = time.monotonic() - began_s
            for source, records in chunks:
                self._metrics.took(source.topic, len(records), seconds)

    async def _handle(self, chunks: Sequence[Chunk]) -> None:
        if isinstance(self._handler, Gatherer):
            await self._handler.take_all(chunks)
        else:
            for source, records in chunks:
                await self._handler.take(source, records)

    async def _on_assigned(self, _: object, /, *args: set[TopicPartition], **__: object) -> None:
        (sources,) = args
        self._in_force = True
        if frozenset(sources) != self._assigned:
            self._assigned = frozenset(sources)
            partitions = [f"{source.topic} {source.partition}" for source in sorted(sources)]
            self._log(Action.READY, program=self._program, partitions=partitions)

    async def _on_revoked(self, _: object, /, *__: object, **___: object) -> None:
        self._in_force = False
        self._positions = {}
        self._metrics.unassigned()

    # --- watch ----------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            self._guard.beat()
            now_s = time.monotonic()
            reason = self._watchdog.why_hung(
                now_s,
                assigned=self._in_force or self._broker.is_away,
                beats_s={"chunk": self._consumer.beat_s} if self._in_force and self._assigned else {},
                positions={} if self._is_excused else self._positions,
            )
            if reason:
                self.end_hung(reason)

    async def _look(self) -> None:
        """Where reading is, where the log ends, who else is there."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._context.servers, client_id=f"{self._context.sender}-admin")
        try:
            await admin.start()
            while True:
                try:
                    async with asyncio.timeout(ASK_S):
                        members = await ask_members(admin, self._group)
                        self._positions = await self._look_at_positions()
                except (KafkaError, TimeoutError) as error:
                    self._broker.seen(away=repr(error))
                    self._positions = {}
                else:
                    self._broker.seen(away="")
                    self.members = len(members or ()) or self.members
                await asyncio.sleep(ENDS_S)
        finally:
            await admin.close()

    async def _look_at_positions(self) -> dict[str, Progress]:
        sources = list(self._assigned or ()) if self._in_force else []
        if not sources:
            return {}
        ends = await self._consumer.highwaters(*sources)
        positions = {source: Progress(await self._consumer.at(source), ends[source]) for source in sources}
        for source, progress in positions.items():
            self._metrics.lag(source.topic, source.partition, max(0, progress.end - progress.position))
        return {f"{source.topic} {source.partition}": progress for source, progress in positions.items()}

    @property
    def _consumer(self) -> ChunkConsumer:
        return cast(ChunkConsumer, self.app.consumer)

    # --- ends -----------------------------------------------------------------------------------------------------

    def end_failed(self, error: BaseException | None) -> NoReturn:
        """A bug, or a client that is broken: what is at hand is not acked, and is done again."""
        self._log(Action.FAILED, program=self._program, reason=repr(error), error=error)
        self._exit(exits.SOFTWARE, repr(error))

    def end_hung(self, reason: str) -> None:
        """End the process; its supervisor starts another."""
        self._log(Action.HUNG, reason=reason)
        self._exit(exits.TEMPORARY, reason)

    def _exit(self, code: int, reason: str) -> NoReturn:
        """At once, without a commit."""
        self._log(Action.FAILED, program=self._program, reason=f"exit {code}: {reason}")
        os._exit(code)
