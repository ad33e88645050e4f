"""A gateway process: joins commands into batches, follows the facts, answers its callers, keeps a view of holds."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

from domain.outcomes import REPEATED
from domain.roles import Role
from domain.stock import Expired, Granted, Released, Sold
from streams.stock_records import StockCommand
from tests.simulation.process import Process
from tests.simulation.sender import Sender

if TYPE_CHECKING:
    from tests.simulation.world import World

PACE_MS = (1, 25)
STANDS: dict[type, str] = {Granted: "held", Sold: "sold", Released: "released", Expired: "expired"}


class Answer(NamedTuple):
    """What a caller is told: the outcome, and the receipt of the first occurrence (partition, offset, index)."""

    outcome: int
    receipt: tuple[int, int, int]


class Caller(Protocol):
    """Who waits for the answer to a command."""

    def answered(self, answer: Answer) -> None:
        """Once at most per command sent."""


class View:
    """Where each hold of a partition stands, from its facts. `newest`: the guard against facts published again."""

    def __init__(self) -> None:
        self.cursor = 0
        self.newest = -1
        self.holds: dict[bytes, tuple[int, str]] = {}

    def copy(self) -> "View":
        """A checkpoint."""
        twin = type(self)()
        twin.cursor = self.cursor
        twin.newest = self.newest
        twin.holds = dict(self.holds)
        return twin

    def is_news(self, ledger_offset: int) -> bool:
        """First occurrences ascend, so what is not above the newest was seen before."""
        return ledger_offset > self.newest

    def fold(self, world: "World", ledger_offset: int, changes: list[tuple[object, ...]]) -> None:
        """The changes of one fact."""
        self.newest = max(self.newest, ledger_offset)
        for change in changes:
            kind = type(change)
            state = STANDS.get(kind)
            if state is None:
                continue
            hold = change.hold  # type: ignore[attr-defined]
            before = self.holds.get(hold)
            if before and before[0] > ledger_offset:
                world.violated("a view went back", f"{hold.hex()} was {before}, now {state} of {ledger_offset}")
            self.holds[hold] = (ledger_offset, state)


class Gateway(Process):
    """Its view survives a crash as of some checkpoint; who waited is forgotten."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self.sender = Sender(self, f"{name}.0")
        self.views = [world.mutation.view() for _ in range(world.weather.partitions)]
        self._checkpoint = [view.copy() for view in self.views]
        self._served: list[View] = []
        self._open: dict[int, list[tuple[StockCommand, Caller | None]]] = {}
        self._waiting: dict[int, tuple[Caller | None, ...]] = {}
        self._polling = False

    def on_start(self) -> None:
        self.sender = Sender(self, f"{self.name}.{self.life}")
        self._open = {}
        self._waiting = {}
        self._polling = False
        self.views = [view.copy() for view in self._checkpoint]
        self.wake()

    def on_crash(self) -> None:
        self.sender.die()
        self._served = self.views

    def submit(self, partition: int, command: StockCommand, caller: Caller | None) -> None:
        """Into the open batch."""
        batch = self._open.setdefault(partition, [])
        batch.append((command, caller))
        if len(batch) == 1:
            self.later(self.world.rng.randint(*PACE_MS), self._flush, partition, stream="flush")

    def _flush(self, partition: int) -> None:
        batch = self._open.pop(partition)
        number = self.sender.send(partition, Role.GATEWAY, [command for command, _ in batch])
        self._waiting[number] = tuple(caller for _, caller in batch)

    def wake(self) -> None:
        """Facts have come."""
        if self.alive and not self._polling:
            self._polling = True
            self.later(self.world.rng.randint(1, 30) + self.trip_ms(), self._poll, stream="facts")

    def _poll(self) -> None:
        self._polling = False
        if self.cut_until > self.world.now_ms:
            self.wake()
            return
        for partition, view in enumerate(self.views):
            self._follow(partition, view)
        for served, view in zip(self._served, self.views, strict=False):
            for hold, (offset, state) in served.holds.items():
                if view.holds.get(hold, (-1, ""))[0] < offset:
                    self.world.violated("a view went back over a restart", f"{hold.hex()} was {state} of {offset}")
        self._served = []
        if self.world.rng.random() < 0.1:
            self._checkpoint = [view.copy() for view in self.views]

    def _follow(self, partition: int, view: View) -> None:
        records = self.world.events[partition].records
        while view.cursor < len(records):
            fact = self.world.fact(records[view.cursor][1])
            view.cursor += 1
            if not view.is_news(fact.ledger_offset):
                self.world.count("facts guarded against")
                continue
            view.fold(self.world, fact.ledger_offset, fact.changes)
            if fact.decided.sender == self.sender.name:
                self._answer(partition, fact)

    def _answer(self, partition: int, fact: "Told") -> None:
        callers = self._waiting.pop(fact.decided.number, ())
        for index, (caller, code) in enumerate(zip(callers, fact.decided.outcomes, strict=True) if callers else ()):
            if caller is None:
                continue
            receipt = (partition, fact.decided.src, index)
            if code & REPEATED:
                repeat = fact.repeats[index]
                receipt = (partition, repeat.offset, repeat.position)
            caller.answered(Answer(code & ~REPEATED, receipt))


if TYPE_CHECKING:
    from tests.simulation.referee import Told
