"""A worker process: the machine's shell for the simulator, one seat per partition."""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

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
from streams.machine import Member, PartitionMachine
from streams.protocol import Tick
from streams.vigil import CLOCK_MS
from tests.simulation.logs import START_MS
from tests.simulation.part import Part
from tests.simulation.process import Process
from tests.simulation.sessions import Session
from tests.simulation.snapshots import Disk

if TYPE_CHECKING:
    from tests.simulation.world import World

REBUILD_SLICE = 20
BURST = 4
CODE = "simulated"


class Seat:
    """One partition at one worker: readers and a decider around the machine."""

    def __init__(self, worker: "Worker", part: Part, machine: PartitionMachine) -> None:
        self.worker = worker
        self.world = worker.world
        self.part = part
        self.place = part.place
        self.machine = machine
        self.ledger = part.ledger
        self.commands = part.commands
        self.events = part.events
        self.tail_at = 0
        self.tail_busy = False
        self.commands_at = 0
        self.hot_at: int | None = None
        self.hot_busy = False
        self.deciding = False
        self.rebuilds = 0
        self.unpublished: dict[int, list[bytes]] = {}
        """Records still to be acked, by ledger offset."""
        self.publishing: set[int] = set()
        self.gone = False

    # --- readers --------------------------------------------------------------------------------------------------

    def wake_tail(self) -> None:
        """The lazy reader of ledger and commands."""
        if not self.tail_busy:
            self.tail_busy = True
            lag_ms = self.world.rng.randint(1, self.world.weather.tail_ms)
            self.worker.later(lag_ms + self.worker.trip_ms(), self._tail, stream=f"tail{self.place}")

    def _tail(self) -> None:
        self.tail_busy = False
        if self.gone:
            return
        if self.worker.cut_until > self.world.now_ms:
            self.wake_tail()
            return
        machine = self.machine
        if machine.role is not Role.COLD:
            records = self.ledger.records
            while self.tail_at < len(records) and machine.role is not Role.COLD:
                offset = self.tail_at
                self.tail_at += 1
                self._feed(offset)
                if machine._effects:
                    self.settle()
        records = self.commands.records
        while self.commands_at < len(records):
            offset = self.commands_at
            self.commands_at += 1
            machine.submit(offset, *records[offset])
        self.settle()

    def wake_hot(self) -> None:
        """The quick reader of an owner's commands."""
        if self.hot_at is not None and not self.hot_busy:
            self.hot_busy = True
            self.worker.later(self.worker.trip_ms(), self._hot, stream=f"hot{self.place}")

    def _hot(self) -> None:
        self.hot_busy = False
        if self.gone:
            return
        if self.worker.cut_until > self.world.now_ms:
            self.wake_hot()
            return
        records = self.commands.records
        while self.hot_at is not None and self.hot_at < len(records):
            offset = self.hot_at
            self.hot_at += 1
            self.machine.submit(offset, *records[offset])
        self.settle()

    def _read(self, start: int, end: int) -> None:
        """A one-off read of the ledger."""
        if self.gone:
            return
        for offset in range(start, min(end, self.ledger.end)):
            self._feed(offset)
        self.settle()

    def _feed(self, offset: int) -> None:
        """One ledger record to the machine."""
        tenure = self.machine.tenure
        on_their_way = len(tenure.in_flight) if tenure else 0
        self.machine.on_ledger(offset, *self.ledger.records[offset])
        if tenure and len(tenure.in_flight) < on_their_way:
            self.world.count("found in a hole")

    def _rebuild(self, number: int, at: int, end: int) -> None:
        """A slice of the ledger, then the loop is free for others."""
        if number != self.rebuilds or self.gone:
            return
        stop = min(at + REBUILD_SLICE, end)
        for offset in range(at, stop):
            self.machine.on_ledger(offset, *self.ledger.records[offset])
        if stop < end:
            self.worker.later(self.worker.slowness, self._rebuild, number, stop, end)
        else:
            self.machine.on_caught_up(end)
            if self.machine.role is Role.COLD and self.machine.ledger_next < self.ledger.end:
                self.do_rebuild(Rebuild())
        self.settle()

    # --- effects --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Carry out what the machine asked for, and decide what is to be decided soon."""
        machine = self.machine
        effects = machine.take()
        while effects:
            for effect in effects:
                DO[type(effect)](self, effect)
                if self.gone:
                    return
            effects = machine.take()
        if machine.queued and not self.deciding:
            self.deciding = True
            pace_ms = self.world.rng.randint(0, 4) * self.worker.slowness
            self.worker.later(pace_ms, self._decide, stream=f"decide{self.place}")

    def _decide(self) -> None:
        self.deciding = False
        if self.gone:
            return
        for _ in range(BURST):
            append = self.world.ruler.rule(self) or self.machine.decide()
            if append is None:
                break
            self.send(append)
        else:
            if self.machine.queued:
                self.settle()
                return
        self.settle_quietly()

    def settle_quietly(self) -> None:
        """As settle, but what could not be decided waits for the next input."""
        self.deciding = True
        self.settle()
        self.deciding = False

    def send(self, append: Append) -> None:
        """A decision or a ruling goes to the ledger."""
        self.world.on_sent(self, append)
        self.worker.ledger_session.send(self.ledger, append.value, lambda at: self._appended(append.token, at))

    def _appended(self, token: int, offset: int) -> None:
        if not self.gone:
            self.machine.on_appended(token, offset)
            self.settle()

    def do_append_claim(self, effect: AppendClaim) -> None:
        def appended(offset: int) -> None:
            if not self.gone:
                self.machine.on_claim_appended(effect.nonce, offset)
                self.settle()

        self.world.count("claims")
        self.world.note(f"{self.worker.name} claims {self.part.name}")
        self.worker.ledger_session.send(self.ledger, effect.value, appended)

    def do_append_command(self, effect: AppendCommand) -> None:
        def appended(offset: int) -> None:
            self.worker.pending_commands.pop((self.place, effect.token), None)
            if not self.gone:
                self.machine.on_command_appended(effect.token, offset)

        if type(self.part.fold.batches.decode(effect.value).commands()[0]) is Tick:
            owner = self.machine.role is Role.OWNER
            self.world.count("ticks of owners" if owner else "ticks of standbys")
        self.worker.pending_commands[(self.place, effect.token)] = None
        self.worker.command_session.send(self.commands, effect.value, appended)

    def do_publish(self, effect: Publish) -> None:
        self.unpublished[effect.ledger_offset] = self.part.records_of(effect.value)
        delay_ms = self.world.rng.randint(0, self.world.weather.publish_ms)
        self.worker.later(delay_ms, self._publish, stream=f"publish{self.place}")

    def _publish(self) -> None:
        """Facts leave in order, whenever one may."""
        for offset, values in list(self.unpublished.items()):
            if offset not in self.publishing:
                self.publishing.add(offset)
                for value in values[:-1]:
                    self.worker.fact_session.send(self.events, value)
                if values:
                    self.worker.fact_session.send(self.events, values[-1], self._on_published(offset))
                else:
                    self._published(offset)

    def _on_published(self, offset: int) -> Callable[[int], None]:
        """A session's acks come in order, so the last one of a record's stands for all."""
        return lambda _: self._published(offset)

    def publish_again(self) -> None:
        """Another producer: what was not acked goes out again, in order."""
        self.publishing.clear()
        self._publish()

    def _published(self, offset: int) -> None:
        self.unpublished.pop(offset, None)
        self.publishing.discard(offset)
        if not self.gone:
            self.machine.on_published(offset)
            self.settle()

    def do_dead_letter(self, effect: DeadLetter) -> None:
        self.world.on_dead_letter(self.part, effect)

    def do_look(self, effect: Look) -> None:
        rng = self.world.rng
        if self.world.faulty and rng.random() < self.world.weather.look_trouble:
            if rng.random() < 0.5:
                self.world.count("looks failed")
                return
            self.world.count("looks slow")
            self.worker.later(rng.randint(100, 1500), self._look, effect)
        else:
            self.worker.later(self.worker.trip_ms(), self._look, effect)

    def _look(self, effect: Look) -> None:
        """What the broker has now arrives a little later."""
        commands = self.commands

        def kept(offset: int) -> tuple[int, bytes] | None:
            return commands.records[offset] if commands.start <= offset < commands.end else None

        seen = Seen(effect.token, self.ledger.end, commands.start, commands.end, kept(0), kept(effect.src))
        self.worker.later(self.worker.trip_ms(), self._seen, seen, stream=f"look{self.place}")

    def _seen(self, seen: Seen) -> None:
        if not self.gone:
            self.machine.on_seen(seen)
            self.settle()

    def do_read_ledger(self, effect: ReadLedger) -> None:
        self.world.count("holes read")
        self.worker.later(self.worker.trip_ms(), self._read, *effect, stream=f"read{self.place}")

    def do_seek_ledger(self, effect: SeekLedger) -> None:
        self.tail_at = effect.offset
        self.wake_tail()

    def do_seek_commands(self, effect: SeekCommands) -> None:
        self.hot_at = effect.offset
        self.wake_hot()

    def do_stop_commands(self, effect: StopCommands) -> None:
        self.hot_at = None

    def do_rebuild(self, effect: Rebuild) -> None:
        self.rebuilds += 1
        if effect.afresh:
            self.world.on_doubt(self)
        self.unpublished.clear()
        self.publishing.clear()
        delay_ms = self.worker.trip_ms()
        self.worker.later(delay_ms, self._begin_rebuild, self.rebuilds, stream=f"rebuild{self.place}")

    def _begin_rebuild(self, number: int) -> None:
        if not self.gone:
            self.worker.disk.restore(self)
            self._rebuild(number, self.machine.ledger_next, self.ledger.end)

    def do_role_changed(self, effect: RoleChanged) -> None:
        self.world.on_role(self, effect)

    def do_alarm(self, effect: Alarm) -> None:
        self.world.on_alarm(self, effect)

    def do_exit(self, effect: Exit) -> None:
        self.world.count("exits")
        self.world.note(f"{self.worker.name} exits: {effect.reason}")
        self.worker.crash()


DO = {
    AppendClaim: Seat.do_append_claim,
    AppendCommand: Seat.do_append_command,
    Publish: Seat.do_publish,
    DeadLetter: Seat.do_dead_letter,
    Look: Seat.do_look,
    ReadLedger: Seat.do_read_ledger,
    SeekLedger: Seat.do_seek_ledger,
    SeekCommands: Seat.do_seek_commands,
    StopCommands: Seat.do_stop_commands,
    Rebuild: Seat.do_rebuild,
    RoleChanged: Seat.do_role_changed,
    Alarm: Seat.do_alarm,
    Exit: Seat.do_exit,
}
"""How each effect is carried out."""


class Worker(Process):
    """All seats of one process, whatever their ledger, its three producers, its clock."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self.wall_skew_ms = 0
        self.disk = Disk(f"{world.seed} {name}")
        self.copied = False
        """Whether a seat of this process is a copy of another's, or has one."""
        self.seats: list[Seat] = []
        self.me = Member(name, "", CODE)
        self.pending_commands: dict[tuple[int, int], None] = {}
        self.ledger_session = Session(self, "ledger", self._ledger_failed)
        self.fact_session = Session(self, "facts", self._facts_failed)
        self.command_session = Session(self, "commands", self._commands_failed)

    def on_start(self) -> None:
        world = self.world
        self.me = Member(self.name, f"{self.name}@{self.life}", CODE)
        self.copied = False
        self.pending_commands = {}
        self.ledger_session = Session(self, "ledger", self._ledger_failed)
        self.fact_session = Session(self, "facts", self._facts_failed)
        self.command_session = Session(self, "commands", self._commands_failed)
        self.seats = []
        for part in world.parts:
            machine = world.new_machine(part, self.me, Random(world.rng.getrandbits(64)))
            self.seats.append(Seat(self, part, machine))
        for seat in self.seats:
            seat.machine.start()
            seat.settle()
        self.later(world.rng.randint(0, CLOCK_MS), self._clock, stream="clock")
        world.on_worker_started(self)

    def on_crash(self) -> None:
        for seat in self.seats:
            seat.gone = True
        self.ledger_session.die()
        self.fact_session.die()
        self.command_session.die()
        self.world.on_worker_died(self)

    def _clock(self) -> None:
        world = self.world
        now_ms = world.now_ms
        wall_ms = START_MS + now_ms + self.wall_skew_ms
        life = self.life
        for seat in self.seats:
            machine = seat.machine
            machine.on_clock(now_ms, wall_ms)
            self.disk.consider(seat)
            if machine._effects or (machine.queued and not seat.deciding):
                seat.settle()
            if life != self.life or not self.alive:
                return
        lag_ms = world.rng.randint(0, 20) * (self.slowness - 1)
        self.later(CLOCK_MS + lag_ms, self._clock, stream="clock")

    def _ledger_failed(self) -> None:
        """W5: what was written is unknown."""
        self.world.count("appends failed")
        self.crash()

    def _facts_failed(self) -> None:
        """Another producer sends again all that was not acked, in order."""
        self.world.count("fact producers replaced")
        self.fact_session = Session(self, "facts", self._facts_failed)
        for seat in self.seats:
            seat.publish_again()

    def _commands_failed(self) -> None:
        self.world.count("command producers replaced")
        self.command_session = Session(self, "commands", self._commands_failed)
        for place, token in self.pending_commands:
            seat = self.seats[place]
            seat.machine.on_command_appended(token, None)
            seat.settle()
        self.pending_commands = {}

    def owned(self) -> list[Seat]:
        """Seats whose machine believes to own."""
        return [seat for seat in self.seats if seat.machine.role is Role.OWNER]

    def watch(self, part: Part) -> None:
        """Wake the readers when records are appended."""
        place = part.place

        def on_ledger(_: int) -> None:
            if self.alive:
                self.seats[place].wake_tail()

        def on_commands(_: int) -> None:
            if self.alive:
                self.seats[place].wake_hot()
                self.seats[place].wake_tail()

        part.ledger.watchers.append(on_ledger)
        part.commands.watchers.append(on_commands)
