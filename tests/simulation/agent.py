"""Stateless agents: at-least-once in, idempotent effect out. They crash, are doubled, and start again further back."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from domain.roles import Role
from tests.simulation.part import Part
from tests.simulation.process import Process
from tests.simulation.sender import Sender

if TYPE_CHECKING:
    from tests.simulation.world import World

CHUNK = 20
BACK = 12
"""Records by which a group's committed offset may be behind what was handled."""


class Program:
    """The consumer group of one kind of agent: which of its processes reads which events, and how far it committed."""

    def __init__(self, world: "World", name: str, parts: Iterable[Part], make: Callable[..., "Agent"]) -> None:
        self.world = world
        self.name = name
        self.parts = list(parts)
        self.committed = {part.place: 0 for part in self.parts}
        self.agents = [make(world, f"{name}{number}", self) for number in range(2)]
        self.planned = {part.place: self.agents[0] for part in self.parts}
        for part in self.parts:
            part.events.watchers.append(lambda _, place=part.place: self.planned[place].wake())

    def reassign(self, part: Part, agent: "Agent") -> None:
        """The other process gets it; the one that had it may go on for a while."""
        world, before = self.world, self.planned[part.place]
        if before is agent:
            return
        world.count("agents reassigned")
        self.planned[part.place] = agent
        agent.later(world.rng.randint(1, 300), agent.gain, part)
        before.later(world.rng.randint(1, 1500), before.lose, part)

    def commit(self, part: Part, offset: int) -> None:
        """Zombies commit too."""
        if offset < self.committed[part.place]:
            self.world.count("commits that went back")
        self.committed[part.place] = offset

    def forget(self) -> None:
        """The last commits were lost with the process that had sent them."""
        rng = self.world.rng
        for place, offset in self.committed.items():
            self.committed[place] = max(0, offset - rng.randint(0, BACK))


class Chunk:
    """Records that are being handled. `open` = writes that are not acked."""

    __slots__ = ("end", "open")

    def __init__(self, end: int) -> None:
        self.end = end
        self.open = 1


class Agent(Process):
    """One process of a program."""

    def __init__(self, world: "World", name: str, program: Program) -> None:
        super().__init__(world, name)
        self.program = program
        self.sender = Sender(self, name)
        self.cursors: dict[int, int] = {}
        self._chunks: dict[int, deque[Chunk]] = {}
        self._polling = False

    def on_start(self) -> None:
        self.sender = Sender(self, f"{self.name}.{self.life}")
        self.cursors = {}
        self._chunks = {}
        self._polling = False
        if self.life > 1 and self.world.faulty and self.world.rng.random() < 0.3:
            self.program.forget()
        for part in self.program.parts:
            if self.program.planned[part.place] is self:
                self.gain(part)

    def on_crash(self) -> None:
        self.sender.die()

    def gain(self, part: Part) -> None:
        """From the committed offset on."""
        if self.program.planned[part.place] is self:
            if part.place not in self.cursors:
                self.cursors[part.place] = self.program.committed[part.place]
                self._chunks[part.place] = deque()
            self.wake()

    def lose(self, part: Part) -> None:
        """Somebody else has it."""
        if self.program.planned[part.place] is not self:
            self.cursors.pop(part.place, None)
            self._chunks.pop(part.place, None)

    def wake(self) -> None:
        """Events have come."""
        if self.alive and not self._polling:
            self._polling = True
            self.later(self.world.rng.randint(1, 20) + self.trip_ms(), self._poll, stream="events")

    def _poll(self) -> None:
        self._polling = False
        if self.cut_until > self.world.now_ms:
            self.wake()
            return
        for part in self.program.parts:
            at = self.cursors.get(part.place)
            if at is None:
                continue
            end = min(part.events.end, at + CHUNK)
            self.cursors[part.place] = end
            if end > at:
                self._take(part, at, end)
            if end < part.events.end:
                self.wake()

    def _take(self, part: Part, at: int, end: int) -> None:
        chunk = Chunk(end)
        chunks = self._chunks[part.place]
        chunks.append(chunk)

        def begin() -> None:
            chunk.open += 1

        def done() -> None:
            if not self.alive:
                return
            chunk.open -= 1
            while chunks and chunks[0].open <= 0:
                last = chunks.popleft()
                if self._chunks.get(part.place) is chunks:
                    self.program.commit(part, last.end)

        self.handle(part, [value for _, value in part.events.records[at:end]], begin, done)
        done()

    def handle(self, part: Part, values: list[bytes], begin: Callable[[], None], done: Callable[[], None]) -> None:
        """Act on a chunk of events. `begin` and `done` stand around every write that the commit waits for."""
        raise NotImplementedError

    def write(
        self, part: Part, role: Role, commands: list[Any], begin: Callable[[], None], done: Callable[[], None]
    ) -> None:
        """One batch."""
        begin()
        self.world.count(f"batches of {self.program.name}")
        self.sender.send(part, role, commands, done)

    def behind(self) -> str:
        """What it has not handled yet; "" if nothing."""
        for part in self.program.parts:
            if self.program.planned[part.place] is self:
                if self.cursors.get(part.place) != part.events.end:
                    return f"{self.name} is behind in {part.name}"
                if self._chunks[part.place]:
                    return f"{self.name} has unacked writes of {part.name}"
        return ""
