"""`turnstile ledger rule` in the simulation: gets a partition past a record that no owner can decide."""

from typing import TYPE_CHECKING

from streams.effects import Append, Role
from streams.tenure import WINDOW
from tests.simulation.part import Part

if TYPE_CHECKING:
    from tests.simulation.worker import Seat
    from tests.simulation.world import World

AGAIN_MS = 700


class Ruler:
    """Claims also where a partition is parked, then decides the next command by hand."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._condemned: set[tuple[int, int]] = set()

    def call(self, part: Part, offset: int) -> None:
        """Somebody looks at this record in a while."""
        world = self._world
        world.at(world.now_ms + world.rng.choice((500, 3000, 12_000)), self._look, part, offset)

    def _look(self, part: Part, offset: int) -> None:
        world = self._world
        src = part.referee.acceptance.src
        if src >= offset:
            return
        world.at(world.now_ms + AGAIN_MS, self._look, part, offset)
        if src + 1 < offset:
            return
        self._condemned.add((part.place, offset))
        seats = [worker.seats[part.place] for worker in world.workers if worker.alive]
        warm = [seat for seat in seats if seat.machine.role is Role.WARM and not seat.machine.claiming]
        if warm and not any(seat.machine.role is Role.OWNER for seat in seats):
            seat = world.rng.choice(warm)
            seat.machine.claim("ruling")
            seat.settle()

    def rule(self, seat: "Seat") -> Append | None:
        """Instead of deciding: the ruling, if this record is to be ruled."""
        world = self._world
        machine = seat.machine
        room = machine.tenure is not None and len(machine.tenure.in_flight) < WINDOW
        whim = room and world.faulty and world.rng.random() < world.weather.whim
        if machine.queued and (whim or (seat.place, machine.next_command) in self._condemned):
            return machine.rule("operator", "simulated")
        return None
