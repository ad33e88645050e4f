"""What goes wrong, and when: drawn from the run's own randomness until the faults stop."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

from streams.effects import Role
from tests.simulation.part import Part
from tests.simulation.worker import Seat

if TYPE_CHECKING:
    from tests.simulation.world import World

SKEW_MS = 2_000
BEHIND_MS = 70_000
"""A worker's clock this far behind sees records more than 60 s ahead of it."""


class Faults:
    """One at a time, at exponential intervals."""

    def __init__(self, world: "World") -> None:
        self._world = world
        weather = world.weather
        self._choices: list[tuple[float, Callable[[], None]]] = [
            (weather.crash, self.crash),
            (weather.crash, self.hand_over),
            (weather.pause, self.pause),
            (weather.cut, self.cut),
            (weather.early_claims, self.claim_early),
            (weather.reassign, self.reassign),
            (weather.move, self.move),
            (weather.skew, self.skew_log),
            (weather.skew, self.skew_wall),
            (weather.clone, self.clone),
            (0.3, self.slow),
        ]

    def start(self) -> None:
        """From now on."""
        self._next()

    def _next(self) -> None:
        delay_ms = int(self._world.rng.expovariate(self._world.weather.fault_rate) * 1000) + 1
        self._world.at(self._world.now_ms + delay_ms, self._strike)

    def _strike(self) -> None:
        world = self._world
        if not world.faulty:
            return
        weights = [weight for weight, _ in self._choices]
        fault = world.rng.choices([fault for _, fault in self._choices], weights)[0]
        fault()
        self._next()

    def crash(self) -> None:
        """Kill -9."""
        world = self._world
        world.rng.choice([*world.workers, *world.workers, *world.gateways, *world.agents]).crash()

    def hand_over(self) -> None:
        """SIGTERM: yield everything, then stop."""
        world = self._world
        worker = world.rng.choice(world.workers)
        if not worker.alive:
            return
        world.count("terminations")
        world.note(f"{worker.name} is asked to stop")
        to = world.rng.choice(["", *(other.name for other in world.workers if other is not worker)])
        for seat in worker.owned():
            seat.machine.hand_over(to)
            seat.settle()
        worker.later(world.rng.randint(50, 1200), worker.crash)

    def pause(self) -> None:
        """SIGSTOP, SIGCONT."""
        world = self._world
        process = world.rng.choice([*world.workers, *world.workers, *world.gateways, *world.agents])
        process.pause(world.rng.choice((40, 200, 1000, 2500)) + world.rng.randint(0, 300))

    def cut(self) -> None:
        """No network for one process."""
        world = self._world
        world.rng.choice([*world.workers, *world.gateways, *world.agents]).cut(world.rng.randint(100, 2500))

    def claim_early(self) -> None:
        """Warm workers claim though nothing asks for it, several at once."""
        world = self._world
        part = world.rng.choice(world.parts)
        for worker in world.rng.sample(world.workers, world.rng.randint(1, 3)):
            worker.later(world.rng.randint(0, 15), self._claim, worker, part)

    def _claim(self, worker: "Worker", part: Part) -> None:
        seat = worker.seats[part.place]
        if seat.machine.role is Role.WARM and not seat.machine.claiming:
            self._world.count("early claims")
            seat.machine.claim("early")
            seat.settle()

    def reassign(self) -> None:
        """The group plans otherwise."""
        world = self._world
        world.group.reassign(world.rng.choice(world.parts), world.rng.choice(world.workers).name)

    def move(self) -> None:
        """The operator moves a partition."""
        world = self._world
        world.operator.move(world.rng.choice(world.parts))

    def skew_log(self) -> None:
        """The broker's clock jumps, for one topic's partition (leaders differ)."""
        world = self._world
        part = world.rng.choice(world.parts)
        log = world.rng.choice((part.commands, part.ledger))
        log.skew_ms = world.rng.randint(-SKEW_MS, SKEW_MS)
        world.count("log clocks skewed")

    def skew_wall(self) -> None:
        """A worker's wall clock jumps, sometimes far behind."""
        world = self._world
        worker = world.rng.choice(world.workers)
        worker.wall_skew_ms = world.rng.randint(-SKEW_MS, SKEW_MS)
        if world.rng.random() < 0.2:
            worker.wall_skew_ms = -BEHIND_MS
            worker.later(world.rng.randint(200, 1500), self._set_clock, worker)
        world.count("wall clocks skewed")

    def _set_clock(self, worker: "Worker") -> None:
        worker.wall_skew_ms = 0

    def slow(self) -> None:
        """One worker gets a fraction of its core."""
        world = self._world
        world.rng.choice(world.workers).slowness = world.rng.choice((1, 1, 3, 8))
        world.count("slow workers")

    def clone(self) -> None:
        """Two processes with one nonce and one epoch, as if a virtual machine was copied: the worst zombie."""
        world = self._world
        part = world.rng.choice(world.parts)
        seats = [worker.seats[part.place] for worker in world.workers if worker.alive]
        owners = [seat for seat in seats if seat.machine.tenure and not seat.machine.tenure.in_flight]
        others = [seat for seat in seats if seat.machine.role is Role.WARM]
        if not owners or not others:
            return
        world.count("clones")
        old = world.rng.choice(others)
        world.note(f"{old.worker.name} becomes a clone of {owners[0].worker.name} in {part.name}")
        machine = owners[0].machine
        shared = {id(machine.fold): machine.fold, id(machine.me): machine.me}
        twin = Seat(old.worker, part, copy.deepcopy(machine, shared))
        old.gone = True
        old.worker.seats[part.place] = twin
        owners[0].worker.copied = old.worker.copied = True
        twin.tail_at = twin.machine.ledger_next
        twin.commands_at = old.commands_at
        twin.hot_at = twin.machine.next_command
        twin.unpublished = dict(owners[0].unpublished)
        twin._publish()
        twin.wake_tail()
        twin.wake_hot()
        twin.settle()


if TYPE_CHECKING:
    from tests.simulation.worker import Worker
