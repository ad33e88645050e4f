"""A session of an idempotent producer, as Kafka keeps it: FIFO per partition, nothing twice, acks in order or lost.

A session dies with its process, or when the client gives up after a lost ack. What was on its way then lands up to
some record, possibly much later (a ghost), and never after a gap.
"""

from collections import deque
from collections.abc import Callable

from tests.simulation.logs import Log
from tests.simulation.process import Process

UNKNOWN = -1
GIVE_UP_MS = (300, 2500)


class Flight:
    """A record on its way."""

    __slots__ = ("dropped", "on_ack", "value")

    def __init__(self, value: bytes, on_ack: Callable[[int], None] | None) -> None:
        self.value = value
        self.on_ack = on_ack
        self.dropped = False


class Lane:
    """The session's records for one partition."""

    __slots__ = ("acked_ms", "flights", "lands_ms", "stuck")

    def __init__(self) -> None:
        self.flights: deque[Flight] = deque()
        self.lands_ms = 0
        self.acked_ms = 0
        self.stuck = False


class Session:
    """`on_failed` is called once, in the process, when the client gives up."""

    def __init__(self, process: Process, name: str, on_failed: Callable[[], None]) -> None:
        self._process = process
        self._world = process.world
        self._name = name
        self._on_failed = on_failed
        self._lanes: dict[str, Lane] = {}
        self.dead = False

    def send(self, log: Log, value: bytes, on_ack: Callable[[int], None] | None = None) -> None:
        """Append; `on_ack` gets the offset, or UNKNOWN."""
        world = self._world
        if not self.dead:
            world.reached(f"{log.topic}: before an append", self._process)
        if self.dead:
            return
        lane = self._lanes.get(log.name)
        if lane is None:
            lane = self._lanes[log.name] = Lane()
        lane.lands_ms = max(lane.lands_ms, world.now_ms + self._process.trip_ms())
        flight = Flight(value, on_ack)
        lane.flights.append(flight)
        world.in_air += 1
        world.at(lane.lands_ms, self._land, log, lane, flight)

    def _land(self, log: Log, lane: Lane, flight: Flight) -> None:
        world = self._world
        world.in_air -= 1
        if flight.dropped:
            return
        lane.flights.popleft()
        if self.dead:
            world.count("ghosts landed")
            world.note(f"a ghost of {self._process.name} lands in {log.name} at {log.end}")
        offset = log.append(flight.value)
        if not self.dead:
            world.reached(f"{log.topic}: appended", self._process)
        if self.dead or lane.stuck or flight.on_ack is None:
            return
        delay_ms = self._process.trip_ms()
        weather = world.weather
        if world.faulty and world.rng.random() < weather.ack_trouble:
            trouble = world.rng.random()
            if trouble < weather.ack_lost:
                self._lose(lane, log)
                return
            if trouble < 0.6:
                world.count("acks late")
                delay_ms += world.rng.randint(200, 2000)
            else:
                world.count("acks unknown")
                offset = UNKNOWN
        lane.acked_ms = max(lane.acked_ms, world.now_ms + delay_ms)
        stream = f"{self._name}:{log.name}"
        self._process.later(lane.acked_ms - world.now_ms, self._ack, log, flight, offset, stream=stream)

    def _ack(self, log: Log, flight: Flight, offset: int) -> None:
        if self.dead or flight.on_ack is None:
            return
        self._world.reached(f"{log.topic}: acked", self._process)
        if not self.dead:
            flight.on_ack(offset)

    def _lose(self, lane: Lane, log: Log) -> None:
        """One request at a time per partition: while its ack is missing, no later one comes."""
        self._world.count("acks lost")
        self._world.note(f"an ack of {log.name} to {self._process.name} is lost")
        lane.stuck = True
        self._process.later(self._world.rng.randint(*GIVE_UP_MS), self._give_up)

    def _give_up(self) -> None:
        if not self.dead:
            self.die()
            self._on_failed()

    def die(self) -> None:
        """A prefix of what is on its way lands, some of it late."""
        self.dead = True
        world = self._world
        rng = world.rng
        for name in sorted(self._lanes):
            lane = self._lanes[name]
            kept = rng.randint(0, len(lane.flights))
            while len(lane.flights) > kept:
                lane.flights.pop().dropped = True
            if lane.flights and rng.random() < world.weather.deep_ghosts:
                self._postpone(world.logs[name], lane, world.now_ms + rng.randint(300, 4000))

    def _postpone(self, log: Log, lane: Lane, time_ms: int) -> None:
        flights = list(lane.flights)
        lane.flights.clear()
        for flight in flights:
            flight.dropped = True
            ghost = Flight(flight.value, None)
            lane.flights.append(ghost)
            self._world.in_air += 1
            self._world.at(time_ms, self._land, log, lane, ghost)
