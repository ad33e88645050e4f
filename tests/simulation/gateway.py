"""A gateway process: joins commands into batches, follows the facts, answers its callers, keeps a view of holds."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from domain.outcomes import REPEATED
from domain.roles import Role
from domain.stock import Expired, Granted, Released, Sold
from tests.simulation.part import Part
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
        self.newest = (-1, 0)
        self.stands: dict[Any, tuple[tuple[int, int], str]] = {}
        """By hold: where the fact stands that said so, and the state."""

    def copy(self) -> "View":
        """A checkpoint."""
        twin = type(self)()
        twin.cursor = self.cursor
        twin.newest = self.newest
        twin.stands = dict(self.stands)
        return twin

    def is_news(self, place: tuple[int, int]) -> bool:
        """First occurrences ascend, so what is not above the newest was seen before."""
        return bool(place > self.newest)

    def fold(self, world: "World", told: Any) -> None:
        """One fact."""
        self.newest = max(self.newest, told.place)
        for change in told.changes:
            state = STANDS.get(type(change))
            if state is not None:
                self.set(world, change.hold, told.place, state)

    def set(self, world: "World", key: Any, place: tuple[int, int], state: str) -> None:
        """It stands there now, as of a place that must be newer than what was shown."""
        before = self.stands.get(key)
        if before and before[0] > place:
            world.violated("a view went back", f"{key!r} was {before}, now {state} of {place}")
        self.stands[key] = (place, state)

    def must_follow(self, world: "World", served: "View") -> None:
        """After a restart nothing that was shown before is taken back."""
        for key, (place, state) in served.stands.items():
            mine = self.stands.get(key)
            if mine is None or mine[0] < place:
                world.violated("a view went back over a restart", f"{key!r} was {state} of {place}, now {mine}")

    def answers(self, told: Any) -> tuple[str, int, list[tuple[int, tuple[int, int, int] | None]]]:
        """Whose batch the fact decided, its number, and by index the code and the receipt."""
        decided = told.decided
        answers = []
        for index, code in enumerate(decided.outcomes):
            receipt = (told.partition, decided.src, index)
            if code & REPEATED:
                repeat = told.repeats.get(index)
                receipt = (told.partition, repeat.offset, repeat.position) if repeat else receipt
            answers.append((code & ~REPEATED, receipt))
        return decided.sender, decided.number, answers


class Gateway(Process):
    """Its view survives a crash as of some checkpoint; who waited is forgotten."""

    def __init__(self, world: "World", name: str) -> None:
        super().__init__(world, name)
        self.sender = Sender(self, f"{name}.0")
        self.views: list[Any] = [world.new_view(part) for part in world.parts]
        self._checkpoint = [view.copy() for view in self.views]
        self._served: list[Any] = []
        self._open: dict[int, list[tuple[Any, Caller | None]]] = {}
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

    def submit(self, part: Part, command: Any, caller: Caller | None) -> None:
        """Into the open batch."""
        batch = self._open.setdefault(part.place, [])
        batch.append((command, caller))
        if len(batch) == 1:
            self.later(self.world.rng.randint(*PACE_MS), self._flush, part, stream="flush")

    def _flush(self, part: Part) -> None:
        batch = self._open.pop(part.place)
        number = self.sender.send(part, Role.GATEWAY, [command for command, _ in batch])
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
        for part, view in zip(self.world.parts, self.views, strict=True):
            self._follow(part, view)
        for served, view in zip(self._served, self.views, strict=False):
            view.must_follow(self.world, served)
        self._served = []
        if self.world.rng.random() < 0.1:
            self._checkpoint = [view.copy() for view in self.views]

    def _follow(self, part: Part, view: View) -> None:
        records = part.events.records
        while view.cursor < len(records):
            told = self.world.facts[records[view.cursor][1]]
            view.cursor += 1
            if not view.is_news(told.place):
                self.world.count("facts guarded against")
                continue
            view.fold(self.world, told)
            sender, number, answers = view.answers(told)
            if sender == self.sender.name:
                self._answer(number, answers)

    def _answer(self, number: int, answers: list[tuple[int, Any]]) -> None:
        callers = self._waiting.pop(number, ())
        for caller, (outcome, receipt) in zip(callers, answers, strict=True) if callers else ():
            if caller is not None:
                caller.answered(Answer(outcome, receipt))
