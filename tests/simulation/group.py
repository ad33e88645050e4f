"""The consumer group: a plan, always a little behind, sometimes unknown. It decides nothing."""

from typing import TYPE_CHECKING

from tests.simulation.part import Part

if TYPE_CHECKING:
    from tests.simulation.worker import Worker
    from tests.simulation.world import World

HEARTBEAT_MS = 250


class Group:
    """Who is a member, which worker each part is planned for."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.planned: dict[int, str] = {}
        self._members: dict[str, str] = {}
        """Worker by incarnation."""

    def start(self) -> None:
        """Begin to tell."""
        self._tell()

    def joined(self, worker: "Worker") -> None:
        """A process asks to be a member."""
        world = self._world
        world.at(world.now_ms + world.rng.randint(20, 400), self._join, worker, worker.me.incarnation)

    def _join(self, worker: "Worker", incarnation: str) -> None:
        if worker.alive and worker.me.incarnation == incarnation:
            self._members[incarnation] = worker.name
            self._plan()

    def left(self, worker: "Worker") -> None:
        """A process died; the group finds out when its session ends."""
        world = self._world
        world.at(world.now_ms + world.rng.randint(50, 2500), self._expire, worker.me.incarnation)

    def _expire(self, incarnation: str) -> None:
        self._members.pop(incarnation, None)
        self._plan()

    def _plan(self) -> None:
        """What has no living worker gets one."""
        names = sorted(set(self._members.values()))
        for part in self._world.parts:
            if names and self.planned.get(part.place) not in names:
                self.reassign(part, self._world.rng.choice(names))

    def reassign(self, part: Part, name: str) -> None:
        """Plan it for this worker."""
        if self.planned.get(part.place) != name:
            self._world.count("reassignments")
            self._world.note(f"{part.name} is planned for {name}")
            self.planned[part.place] = name

    def _tell(self) -> None:
        world = self._world
        unknown = world.faulty and world.rng.random() < world.weather.unknown_members
        if unknown:
            world.count("members unknown")
        members = None if unknown else frozenset(self._members)
        for worker in world.workers:
            if worker.alive:
                worker.later(world.rng.randint(0, 200), self._deliver, worker, dict(self.planned), members)
        world.at(world.now_ms + HEARTBEAT_MS, self._tell)

    def _deliver(self, worker: "Worker", planned: dict[int, str], members: frozenset[str] | None) -> None:
        for seat in worker.seats:
            seat.machine.on_plan(planned.get(seat.place) == worker.name, members)
