"""The shell of one partition machine: feeds it, runs its one decider, and carries out the effects it asks for.

Everything that touches the machine is synchronous; only the decider, the publisher and single errands wait. Cost is per
Kafka record: a future and its callback, no task.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.structs import RecordMetadata

from agents import exits
from agents.facts import MakeFacts
from agents.lookup import Lookup
from agents.outlet import CommandOutlet
from agents.publisher import Publisher
from agents.readers import HotReader, TailReader
from agents.rebuild import Rebuilder
from agents.restoring import Restorer
from agents.times import monotonic_ms, wall_ms
from domain.outcomes import Outcome
from streams.actions import Action
from streams.effects import (
    Alarm,
    Append,
    AppendClaim,
    AppendCommand,
    DeadLetter,
    Exit,
    Look,
    Publish,
    ReadLedger,
    Rebuild,
    Role,
    RoleChanged,
    SeekCommands,
    SeekLedger,
    Seen,
    StopCommands,
)
from streams.logs import Log
from streams.machine import PartitionMachine
from streams.metrics import WorkerMetrics
from streams.slices import Slices
from streams.tenure import QUEUE_FULL
from streams.topics import LedgerTopics

REBUILD_AGAIN_S = 1.0
FEW = 8
"""While fewer records wait, each decision is let go before the next is made: it is what somebody waits for. Behind a
longer queue they wait anyway, and decisions that are sent together cost less. Nobody waits for a tick, and its ack asks
for the next at once, which would come before the commands."""
_TICKED = bytes((Outcome.TICKED,))


@dataclass(frozen=True, slots=True)
class Wires:
    """What the partitions of a worker share. `exit` ends the process at once (W5)."""

    program: str
    topics: LedgerTopics
    ledger: AIOKafkaProducer
    facts: AIOKafkaProducer
    make_facts: MakeFacts
    commands: CommandOutlet
    hot: HotReader
    tail: TailReader
    lookup: Lookup
    rebuilder: Rebuilder
    restorer: Restorer
    metrics: WorkerMetrics
    log: Log
    exit: Callable[[int, str], NoReturn]


class Partition:
    """One partition at this worker, from `start` to `stop`."""

    def __init__(self, machine: PartitionMachine, wires: Wires) -> None:
        self.machine = machine
        self.number = machine.partition
        self._wires = wires
        self._log = wires.log.bind(partition=machine.partition)
        self._facts = wires.make_facts(machine, wires.facts, self._failed)
        self._retiring = False
        self._held_back = False
        self._rebuilding = self._again = self._afresh = False
        self._wake = asyncio.Event()
        self._publisher = Publisher(
            machine, wires.facts, wires.topics, self._facts, wires.metrics, self._log, self._failed
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._carry: dict[type, Callable[[Any], None]] = {
            AppendClaim: self._begin_claim,
            AppendCommand: lambda effect: self._errand(self._append_command(effect)),
            Publish: self._publisher.enqueue,
            DeadLetter: self._publisher.enqueue,
            Look: lambda effect: self._errand(self._look(effect)),
            ReadLedger: lambda effect: self._errand(self._read_ledger(effect)),
            SeekLedger: self._seek_ledger,
            SeekCommands: self._seek_commands,
            StopCommands: self._stop_commands,
            Rebuild: self._begin_rebuild,
            RoleChanged: self._tell_role,
            Alarm: self._tell_alarm,
            Exit: lambda effect: wires.exit(effect.code, f"partition {self.number}: {effect.reason}"),
        }

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to fold; the rest follows from the ledger."""
        self._errand(self._decide())
        self._errand(self._publisher.run())
        self._errand(self._facts.run())
        self.machine.start()
        self.flush()

    def retire(self) -> None:
        """This process is about to stop: claim nothing any more."""
        self._retiring = True

    async def stop(self) -> None:
        """Let go of the partition: of no use while it is owned."""
        self._wires.hot.pause(self.number)
        self._wires.tail.pause_ledger(self.number)
        self._wires.tail.pause_commands(self.number)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def owned(self) -> bool:
        """Whether this worker decides here."""
        return self.machine.role is Role.OWNER

    @property
    def settled(self) -> bool:
        """Nothing decided here is still on its way, neither to the ledger nor to the events."""
        return not self.owned and self._publisher.idle

    # --- inputs ------------------------------------------------------------------------------------------------------

    @property
    def ledger_next(self) -> int:
        """The ledger offset that is wanted next."""
        return self.machine.ledger_next

    @property
    def cold(self) -> bool:
        """Being rebuilt, by the rebuild that asks: not by one that will begin anew."""
        return self.machine.role is Role.COLD and not self._again

    def on_clock(self, now_ms: int, wall_ms: int) -> None:
        """Every 25 ms."""
        self.machine.on_clock(now_ms, wall_ms)
        self.flush()
        self._wake.set()

    def on_plan(self, assigned: bool, members: frozenset[str] | None) -> None:  # noqa: FBT001 - as the machine's
        """The group's plan, or what of it is known."""
        self.machine.on_plan(assigned, members)

    def on_commands(self, records: Sequence[ConsumerRecord]) -> None:
        """Commands records from whichever reader; too many waiting hold the hot reader back."""
        submit = self.machine.submit
        for record in records:
            submit(record.offset, record.timestamp, record.value)
        self.flush()
        self._wake.set()
        if not self._held_back and self.machine.queued >= QUEUE_FULL:
            self._held_back = True
            self._wires.hot.pause(self.number)

    def on_ledger(self, record: ConsumerRecord) -> None:
        """A ledger record from whichever reader; `flush` after the last one."""
        machine = self.machine
        machine.on_ledger(record.offset, record.timestamp, record.value)
        if machine.accepted.yielded_to == machine.me.worker and machine.role is Role.WARM:
            self.on_clock(monotonic_ms(), wall_ms())  # nobody decides until we claim: do not wait for the next 25 ms

    def on_commands_out_of_range(self) -> None:
        """The topic was cut or made anew: an owner's look says so and stops it; a standby looks before it claims."""
        if self.machine.role is Role.OWNER:
            self._errand(self._check_commands())

    def on_ledger_out_of_range(self) -> None:
        """Nothing can be decided on a ledger that lost its end."""
        if self.machine.role is not Role.STOPPED:
            self.machine.stop(f"the ledger has no offset {self.ledger_next} any more: it was cut or made anew")
        self.flush()

    def hand_over(self, to: str) -> None:
        """Yield, if this worker owns."""
        if self.owned:
            self._log(Action.YIELDING, to=to or "nobody in particular")
            self.machine.hand_over(to)
            self.flush()

    # --- deciding ----------------------------------------------------------------------------------------------------

    async def _decide(self) -> None:
        """The one decider: in order, one record after another, one await each."""
        machine = self.machine
        send = self._wires.ledger.send
        topic = self._wires.topics.ledger.name
        slices = Slices()
        while True:
            append = machine.decide()
            self.flush()
            if append is None:
                self._wake.clear()
                await self._wake.wait()
                slices = Slices()
                continue
            future: asyncio.Future[RecordMetadata] = await send(topic, append.value, partition=self.number)
            future.add_done_callback(partial(self._appended, append))
            if self._held_back and machine.queued < QUEUE_FULL // 2:
                self._release()
            await slices.pause(prompt=machine.queued < FEW and append.outcomes != _TICKED)

    def _release(self) -> None:
        tenure = self.machine.tenure
        self._held_back = False
        if tenure:
            self._wires.hot.read_from(self.number, tenure.next_command)

    def _appended(self, append: Append, future: asyncio.Future[RecordMetadata]) -> None:
        if future.cancelled():
            return
        if future.exception():
            self._failed("a decision", future.exception())
        self.machine.on_appended(append.token, future.result().offset)
        self._wires.metrics.decided(append.outcomes)
        if append.outcomes == _TICKED:
            self.on_clock(monotonic_ms(), wall_ms())  # if more is due, the next tick need not wait for its 25 ms
        self.flush()
        self._wake.set()

    def _failed(self, what: str, error: BaseException | None) -> NoReturn:
        """W5: an append that the broker did not take leaves a gap in the producer's sequence, and doubt."""
        self._log(Action.APPEND_FAILED, reason=f"{what}: {error!r}")
        self._wires.exit(exits.SOFTWARE, f"partition {self.number}: {what} could not be appended: {error!r}")

    # --- effects -----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Carry out what the machine asked for since the last call, in order."""
        for effect in self.machine.take():
            self._carry[type(effect)](effect)

    def _begin_claim(self, effect: AppendClaim) -> None:
        if not self._retiring:
            self._log(Action.CLAIMING, epoch=self.machine.accepted.epoch + 1)
            self._errand(self._append_claim(effect))

    async def _append_claim(self, effect: AppendClaim) -> None:
        topic = self._wires.topics.ledger.name
        future = await self._wires.ledger.send(topic, effect.value, partition=self.number)
        try:
            metadata: RecordMetadata = await future
        except KafkaError as error:
            self._failed("a claim", error)
        self.machine.on_claim_appended(effect.nonce, metadata.offset)
        self.flush()

    async def _append_command(self, effect: AppendCommand) -> None:
        offset = await self._wires.commands.append(self.number, effect.value)
        self.machine.on_command_appended(effect.token, offset)

    async def _look(self, effect: Look) -> None:
        seen = await self._ask(self._wires.lookup.look(effect.token, self.number, effect.src))
        if seen is not None:
            self.machine.on_seen(seen)
            self.flush()

    async def _ask(self, look: Awaitable[Seen]) -> Seen | None:
        """None if the broker does not answer: the machine asks again after its own deadline."""
        try:
            return await look
        except (KafkaError, TimeoutError):
            return None

    async def _read_ledger(self, effect: ReadLedger) -> None:
        slices = Slices()
        try:
            async with aclosing(self._wires.lookup.read_ledger(self.number, effect.start, effect.end)) as chunks:
                async for records in chunks:
                    for record in records:
                        self.on_ledger(record)
                        await slices.pause()
                    self.flush()
        except OffsetOutOfRangeError:
            self.on_ledger_out_of_range()

    async def _check_commands(self) -> None:
        """The hot reader lost its place and is paused: either the log contradicts the ledger, or it was a blink."""
        seen = await self._ask(self._wires.lookup.look(0, self.number, self.machine.accepted.src))
        tenure = self.machine.tenure
        if tenure is None:
            return
        if seen is not None and not seen.commands_start <= tenure.next_command <= seen.commands_end:
            self.machine.stop(
                f"command {tenure.next_command} is to be decided next, but the commands topic holds "
                f"{seen.commands_start} to {seen.commands_end}: it was cut or made anew"
            )
            self.flush()
        else:
            self._wires.hot.read_from(self.number, tenure.next_command)

    def _seek_ledger(self, effect: SeekLedger) -> None:
        self._wires.tail.follow_ledger(self.number, effect.offset)
        if not self.owned:
            self._wires.tail.follow_commands(self.number, self.machine.next_command)

    def _seek_commands(self, effect: SeekCommands) -> None:
        self._held_back = False
        self._wires.tail.pause_commands(self.number)
        self._wires.hot.read_from(self.number, effect.offset)

    def _stop_commands(self, _: StopCommands) -> None:
        self._wires.hot.pause(self.number)
        self._wires.tail.follow_commands(self.number, self.machine.next_command)

    def _begin_rebuild(self, effect: Rebuild) -> None:
        self._facts.on_dropped()
        self._wires.tail.pause_ledger(self.number)
        self._wires.tail.pause_commands(self.number)
        self._afresh = effect.afresh
        self._again = self._rebuilding
        if not self._rebuilding:
            self._rebuilding = True
            self._errand(self._rebuild())

    async def _rebuild(self) -> None:
        machine = self.machine
        while machine.role is Role.COLD:
            self._again = False
            try:
                if machine.accepted.offset < 0:
                    await self._wires.restorer.restore(machine, afresh=self._afresh)
                end = await self._wires.rebuilder.rebuild(self.number, self)
            except OffsetOutOfRangeError:
                self.on_ledger_out_of_range()
            except (KafkaError, TimeoutError) as error:
                self._log(Action.BROKER_AWAY, reason=repr(error))
                await asyncio.sleep(REBUILD_AGAIN_S)
            else:
                if not self._again:
                    machine.on_caught_up(end)
                    self.flush()
        self._rebuilding = False

    # --- telling -----------------------------------------------------------------------------------------------------

    def _tell_role(self, effect: RoleChanged) -> None:
        self._wires.metrics.role(self.number, effect.role)
        accepted = self.machine.accepted
        if effect.reason.startswith("fenced"):
            self._log(Action.FENCED, reason=effect.reason)
        elif effect.reason.startswith("yielded"):
            self._log(Action.YIELDED, reason=effect.reason)
        elif effect.role is Role.OWNER:
            reason = accepted.claim.reason if accepted.claim else ""
            if reason.startswith("silence"):
                self._wires.metrics.takeovers.inc()
            self._log(Action.CLAIMED, epoch=accepted.epoch, reason=reason, src=accepted.src)
            self._facts.on_owning()
        elif effect.role is Role.WARM:
            self._log(Action.WARM, offset=accepted.offset)
        elif effect.reason == "start":
            self._log(Action.WARMING)
        elif effect.role is Role.COLD:
            self._log(Action.DROPPED, reason=effect.reason)

    def _tell_alarm(self, effect: Alarm) -> None:
        self._wires.metrics.alarm(effect.action)
        self._log(Action.labelled(effect.action), problem=effect.message)

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            self._log(Action.FAILED, program=self._wires.program, reason=repr(error), error=error)
            self._wires.exit(exits.SOFTWARE, f"partition {self.number}: {error!r}")
