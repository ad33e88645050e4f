"""One simulated run: three workers, two gateways, buyers and an operator over in-memory logs. One seed, one run."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from domain.ids import hold_id, order_id
from streams.effects import Alarm, Append, DeadLetter, Role, RoleChanged
from streams.machine import Member, PartitionMachine
from streams.records import (
    GENESIS,
    NONCE_BYTES,
    Genesis,
    LedgerRecord,
    command_digest,
    digest,
    encode_body,
    encode_genesis,
    encode_ledger,
)
from streams.tenure import WINDOW
from tests.simulation.buyer import Buyer, Wish
from tests.simulation.faults import Faults
from tests.simulation.finish import Finish
from tests.simulation.gateway import Gateway
from tests.simulation.group import Group
from tests.simulation.logs import Log
from tests.simulation.mutation import Mutation
from tests.simulation.operator import Operator
from tests.simulation.referee import Referee, Told
from tests.simulation.ruler import Ruler
from tests.simulation.scheduler import Scheduler
from tests.simulation.weather import draw
from tests.simulation.worker import Seat, Worker

SKUS = ("A", "B", "C")
CUSTOMERS = 6


class ViolationError(Exception):
    """Something went wrong that must never go wrong."""

    def __init__(self, kind: str, detail: str, now_ms: int) -> None:
        super().__init__(f"{kind} at {now_ms} ms: {detail}")
        self.kind = kind


class World:
    """Everything of a run, and what happened in it."""

    def __init__(self, seed: int, mutation: Mutation, *, traced: bool = False) -> None:
        self.seed = seed
        self.mutation = mutation
        self.rng = Random(seed)
        self.weather = mutation.weather(draw(self.rng))
        self.counts: Counter[str] = Counter()
        self.trace: list[str] | None = [] if traced else None
        self.faulty = True
        self.in_air = 0
        self.facts: dict[bytes, Told] = {}
        self._scheduler = Scheduler()
        self.at: Callable[..., None] = self._scheduler.at
        self.log_id = self.rng.randbytes(16)
        self.fold = mutation.fold()
        partitions = range(self.weather.partitions)
        self.commands = [Log(self._scheduler, f"commands{p}", p) for p in partitions]
        self.ledgers = [Log(self._scheduler, f"ledger{p}", p) for p in partitions]
        self.events = [Log(self._scheduler, f"events{p}", p) for p in partitions]
        self.logs = {log.name: log for log in (*self.commands, *self.ledgers, *self.events)}
        for partition in partitions:
            self._begin(partition)
        self.skus = {sku: self.rng.choice(partitions) for sku in SKUS}
        self.group = Group(self)
        self.workers = [Worker(self, f"w{n}") for n in range(3)]
        self.gateways = [Gateway(self, f"g{n}") for n in range(2)]
        self.operator = Operator(self)
        self.ruler = Ruler(self)
        for partition in partitions:
            for worker in self.workers:
                worker.watch(self.ledgers[partition], self.commands[partition], partition)
            for gateway in self.gateways:
                self.events[partition].watchers.append(lambda _, gateway=gateway: gateway.wake())
        self.buyers: list[Buyer] = []

    def _begin(self, partition: int) -> None:
        """What `turnstile topics apply` does."""
        genesis = Genesis(self.log_id, self.weather.partitions, partition)
        self.commands[partition].append(encode_genesis(genesis))
        bound = command_digest(*self.commands[partition].records[0])
        body = encode_body(genesis._replace(cmd_digest=bound))
        value = encode_ledger(LedgerRecord(GENESIS, 0, bytes(NONCE_BYTES), 0, digest(body), body))
        self.ledgers[partition].append(value)
        self._referee(partition)

    def _referee(self, partition: int) -> None:
        if partition == 0:
            self.referees: list[Referee] = []
        referee = Referee(self, partition)
        self.referees.append(referee)
        referee.on_command(0)
        referee.on_ledger(0)

    # --- what the parts ask of the world ----------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Simulated milliseconds since the beginning."""
        return self._scheduler.now_ms

    @property
    def events_run(self) -> int:
        """Calls made so far."""
        return self._scheduler.events

    def network_ms(self) -> int:
        """One way, without a cut."""
        rng = self.rng
        delay_ms = rng.randint(1, 8)
        if self.faulty and rng.random() < self.weather.slow_net:
            delay_ms += rng.randint(1, self.weather.slow_net_ms)
        return delay_ms

    def count(self, what: str, times: int = 1) -> None:
        """For the table of what happened."""
        self.counts[what] += times

    def note(self, what: str) -> None:
        """For the trace of a failing seed."""
        if self.trace is not None:
            self.trace.append(f"{self.now_ms:>6} {what}")

    def violated(self, kind: str, detail: str) -> None:
        """End the run."""
        if kind in self.mutation.tolerated:
            self.count(f"tolerated: {kind}")
            return
        raise ViolationError(kind, detail, self.now_ms)

    def fact(self, value: bytes) -> Told:
        """A fact, decoded: the referee has seen to it that there are no others."""
        return self.facts[value]

    def new_machine(self, partition: int, me: Member, rng: Random) -> PartitionMachine:
        """The product's machine, or a mutant's."""
        return self.mutation.machine(partition, me, rng, self.weather.takeover_ms, self.log_id)

    def on_worker_started(self, worker: Worker) -> None:
        """It joins the group."""
        self.group.joined(worker)

    def on_worker_died(self, worker: Worker) -> None:
        """What its machines counted is kept."""
        self.group.left(worker)
        self._collect(worker)

    def _collect(self, worker: Worker) -> None:
        for seat in worker.seats:
            for name, times in seat.machine.counts.items():
                self.counts[f"machine: {name}"] += times

    def on_sent(self, seat: Seat, append: Append) -> None:
        """W3: the window."""
        tenure = seat.machine.tenure
        if tenure is None or len(tenure.in_flight) > WINDOW:
            self.violated("sent beyond the window", f"{seat.worker.name} sent {append.token}")

    def on_dead_letter(self, partition: int, letter: DeadLetter) -> None:
        """Counted, and true."""
        self.count("dead letters")
        if self.commands[partition].records[letter.offset] != (letter.timestamp_ms, letter.value):
            self.violated("a false dead letter", repr(letter))

    def on_role(self, seat: Seat, change: RoleChanged) -> None:
        """Nothing here gives a partition reason to stop."""
        self.note(f"{seat.worker.name} is {change.role.value} in {seat.partition}: {change.reason}")
        self.count(f"role: {change.reason.split(' ')[0]}")
        if change.role is Role.STOPPED:
            self.violated("a partition stopped", f"{seat.worker.name}, {seat.partition}: {change.reason}")

    def on_alarm(self, seat: Seat, alarm: Alarm) -> None:
        """Alarms are counted; some call the operator."""
        self.note(f"{seat.worker.name} alarms in {seat.partition}: {alarm.action} {alarm.message}")
        self.count(f"alarm: {alarm.action}")

    def on_poisoned(self, partition: int, offset: int) -> None:
        """A record that no owner can decide stands in the log."""
        self.count("breaking records")
        self.ruler.call(partition, offset)

    # --- the run --------------------------------------------------------------------------------------------------

    def run(self) -> "World":
        """Load with faults, then peace until all is done. ViolationError if something is wrong."""
        with self.mutation.patched():
            self._start()
            self._scheduler.run_until(self.weather.load_ms)
            self._calm()
            Finish(self).wait()
            for worker in self.workers:
                self._collect(worker)
            self.counts["events"] += self.events_run
        return self

    def run_until(self, time_ms: int) -> None:
        """Let simulated time pass."""
        self._scheduler.run_until(time_ms)

    def _start(self) -> None:
        rng = self.rng
        self.operator.start()
        for process in (*self.workers, *self.gateways):
            process.start()
        self.group.start()
        self.operator.open_sale()
        self.operator.plan()
        key = bytes(32)
        for number in range(self.weather.buyers):
            sku = rng.choice(SKUS)
            partition = self.skus[sku]
            customer = rng.randrange(CUSTOMERS)
            hold = hold_id(order_id(key, f"c{customer}", f"k{number}", partition))
            wish = Wish(hold, sku, partition, customer.to_bytes(8, "big"), rng.choice((1, 1, 1, 2)))
            buyer = Buyer(self, wish)
            self.buyers.append(buyer)
            self.at(rng.randint(50, self.weather.load_ms), buyer.ask)
        Faults(self).start()

    def _calm(self) -> None:
        """The faults stop: what is paused goes on, what is cut off is back, clocks are right, copies are gone."""
        self.note("calm")
        self.faulty = False
        for log in self.logs.values():
            log.skew_ms = 0
        for process in (*self.workers, *self.gateways, self.operator):
            process.slowness = 1
            process.cut_until = self.now_ms
            process.wake_up()
        for worker in self.workers:
            worker.wall_skew_ms = 0
            if worker.copied:
                worker.crash()


def simulate(seed: int, mutation: Mutation | None = None, *, traced: bool = False) -> World:
    """Run one seed to its end; ViolationError."""
    return World(seed, mutation or Mutation(), traced=traced).run()


def attempt(seed: int, mutation: Mutation | None = None) -> tuple[Any, Counter[str]]:
    """Run one seed: what went wrong (None if nothing did), and what happened."""
    world = World(seed, mutation or Mutation())
    try:
        world.run()
    except Exception as error:  # noqa: BLE001 - whatever it was, the seed is to be reported
        return error, world.counts
    return None, world.counts
