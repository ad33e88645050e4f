"""One simulated run: three workers, two gateways, buyers and an operator over in-memory logs. One seed, one run."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from domain.ids import hold_id, order_id
from domain.stock import Adjust
from streams.effects import Alarm, Append, DeadLetter, Role, RoleChanged
from streams.fold import Fold
from streams.machine import Member, PartitionMachine
from streams.tenure import WINDOW
from tests.simulation.buyer import Buyer, Wish
from tests.simulation.faults import Faults
from tests.simulation.finish import Finish
from tests.simulation.gateway import Gateway
from tests.simulation.group import Group
from tests.simulation.logs import Log
from tests.simulation.mutation import Mutation
from tests.simulation.operator import Operator
from tests.simulation.part import Part
from tests.simulation.process import Process
from tests.simulation.referee import Referee
from tests.simulation.ruler import Ruler
from tests.simulation.scheduler import Scheduler
from tests.simulation.stock_referee import StockReferee
from tests.simulation.weather import Weather, draw
from tests.simulation.worker import Seat, Worker

SKUS = ("A", "B", "C")
CUSTOMERS = 6
KEY = bytes(32)


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
        self.trade: Any = None
        """What is drawn besides the weather where there are orders."""
        snapshots = Random(f"snapshots {seed}").choice((0.0, 0.0, 1.0))
        self.weather = mutation.weather(self.draw_weather()._replace(snapshots=snapshots))
        self.counts: Counter[str] = Counter()
        self.trace: list[str] | None = [] if traced else None
        self.faulty = True
        self.in_air = 0
        self.facts: dict[bytes, Any] = {}
        """What each record of an events log tells: the referees have seen to it that there are no others."""
        self._scheduler = Scheduler()
        self.at: Callable[..., None] = self._scheduler.at
        self.log_id = self.rng.randbytes(16)
        self.logs: dict[str, Log] = {}
        self.parts: list[Part] = []
        self.stock = [self.add_part(mutation.fold(), p, StockReferee) for p in range(self.weather.partitions)]
        self.add_parts()
        self.skus = {sku: self.rng.choice(self.stock) for sku in SKUS}
        self.group = Group(self)
        self.workers = [Worker(self, f"w{n}") for n in range(3)]
        self.gateways = [Gateway(self, f"g{n}") for n in range(2)]
        self.operator = self.new_operator()
        self.agents: list[Process] = []
        """Stateless agents: relays, payment, compensation, confirmation."""
        self.add_agents()
        self.ruler = Ruler(self)
        for part in self.parts:
            for worker in self.workers:
                worker.watch(part)
            for gateway in self.gateways:
                part.events.watchers.append(lambda _, gateway=gateway: gateway.wake())

    def draw_weather(self) -> Weather:
        """From the seed."""
        return draw(self.rng)

    def new_operator(self) -> Operator:
        """Who opens the sale."""
        return Operator(self)

    def add_part(self, fold: Fold[Any], partition: int, referee: type[Referee], kind: type[Part] = Part) -> Part:
        """A partition of a ledger, from its genesis on."""
        part = kind(self._scheduler, fold, len(self.parts), partition)
        self.parts.append(part)
        for log in (part.commands, part.ledger, part.events):
            self.logs[log.name] = log
        part.begin(self.log_id, self.weather.partitions)
        part.referee = referee(self, part)
        return part

    def add_parts(self) -> None:
        """Of other ledgers than stock."""

    def add_agents(self) -> None:
        """Where there are orders."""

    # --- what the parts ask of the world ----------------------------------------------------------------------------

    @property
    def now_ms(self) -> int:
        """Simulated milliseconds since the beginning."""
        return self._scheduler.now_ms

    @property
    def events_run(self) -> int:
        """Calls made so far."""
        return self._scheduler.events

    def life_of(self, name: str) -> int:
        """Which life of its a process lives, as far as it is one."""
        everybody = (*self.workers, *self.gateways, *self.agents, self.operator)
        return next((process.life for process in everybody if process.name == name), 0)

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

    def new_machine(self, part: Part, me: Member, rng: Random) -> PartitionMachine:
        """The product's machine, or a mutant's."""
        return self.mutation.machine(part.fold, part.partition, me, rng, self.weather.takeover_ms, self.log_id)

    def new_view(self, part: Part) -> Any:
        """A gateway's view of a part."""
        return self.mutation.view()

    def forged(self, part: Part) -> Any:
        """A command that a gateway may not send."""
        return Adjust("A", 99, "forged", "")

    def reached(self, point: str, process: Process) -> None:
        """A named point in a process's work: a test may kill it there."""

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

    def on_dead_letter(self, part: Part, letter: DeadLetter) -> None:
        """Counted, and true."""
        self.count("dead letters")
        if part.commands.records[letter.offset] != (letter.timestamp_ms, letter.value):
            self.violated("a false dead letter", repr(letter))

    def on_role(self, seat: Seat, change: RoleChanged) -> None:
        """Nothing here gives a partition reason to stop."""
        self.note(f"{seat.worker.name} is {change.role.value} in {seat.part.name}: {change.reason}")
        self.count(f"role: {change.reason.split(' ')[0]}")
        if change.role is Role.STOPPED:
            self.violated("a partition stopped", f"{seat.worker.name}, {seat.part.name}: {change.reason}")

    def on_alarm(self, seat: Seat, alarm: Alarm) -> None:
        """Alarms are counted; some call the operator."""
        self.note(f"{seat.worker.name} alarms in {seat.part.name}: {alarm.action} {alarm.message}")
        self.count(f"alarm: {alarm.action}")

    def on_doubt(self, seat: Seat) -> None:
        """A snapshot that was whole did not fit its ledger."""
        raise ViolationError("a snapshot in doubt", f"{seat.worker.name} {seat.part.name}", self.now_ms)

    def on_poisoned(self, part: Part, offset: int) -> None:
        """A record that no owner can decide stands in the log."""
        self.count("breaking records")
        self.ruler.call(part, offset)

    def restless(self) -> str:
        """What is still going on beside the parts; "" if nothing."""
        return ""

    def compare(self) -> None:
        """What must hold at the end beside each part."""

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
        self.operator.start()
        for process in (*self.workers, *self.gateways, *self.agents):
            process.start()
        self.group.start()
        self.operator.open_sale()
        self.operator.plan()
        self.open_doors()
        Faults(self).start()

    def open_doors(self) -> None:
        """Buyers come."""
        rng = self.rng
        for number in range(self.weather.buyers):
            sku = rng.choice(SKUS)
            part = self.skus[sku]
            customer = rng.randrange(CUSTOMERS)
            hold = hold_id(order_id(KEY, f"c{customer}", f"k{number}", part.partition))
            wish = Wish(hold, sku, part, customer.to_bytes(8, "big"), rng.choice((1, 1, 1, 2)))
            self.at(rng.randint(50, self.weather.load_ms), Buyer(self, wish).ask)

    def _calm(self) -> None:
        """The faults stop: what is paused goes on, what is cut off is back, clocks are right, copies are gone."""
        self.note("calm")
        self.faulty = False
        for log in self.logs.values():
            log.skew_ms = 0
        for process in (*self.workers, *self.gateways, *self.agents, self.operator):
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


def attempt(seed: int, mutation: Mutation | None = None, kind: "type[World] | None" = None) -> tuple[Any, Counter[str]]:
    """Run one seed: what went wrong (None if nothing did), and what happened."""
    world = (kind or World)(seed, mutation or Mutation())
    try:
        world.run()
    except Exception as error:  # noqa: BLE001 - whatever it was, the seed is to be reported
        return error, world.counts
    return None, world.counts
