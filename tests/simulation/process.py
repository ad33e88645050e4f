"""A process of the simulation: it crashes, is paused (SIGSTOP: its inputs wait), is cut off from the broker."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import World


class Process:
    """What belongs to one life of a process dies with it."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.name = name
        self.life = 0
        self.alive = False
        self.paused_until = 0
        self.cut_until = 0
        self.slowness = 1
        self._inbox: list[tuple[str, Callable[..., None], tuple[Any, ...]]] = []

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """A new life."""
        self.life += 1
        self.alive = True
        self.paused_until = 0
        self._inbox.clear()
        self.on_start()

    def crash(self, back_ms: int | None = None) -> None:
        """Kill -9. The supervisor starts it again after `back_ms` (random if None)."""
        if not self.alive:
            return
        self.world.count("crashes")
        self.world.note(f"{self.name} dies")
        self.alive = False
        self._inbox.clear()
        self.on_crash()
        slowest_ms = 1500 if self.world.faulty else 200
        delay_ms = self.world.rng.randint(30, slowest_ms) if back_ms is None else back_ms
        life = self.life
        self.world.at(self.world.now_ms + delay_ms, self._back, life)

    def _back(self, life: int) -> None:
        if life == self.life and not self.alive:
            self.start()

    def on_start(self) -> None:
        """Begin to work."""

    def on_crash(self) -> None:
        """Clean up what the world keeps for this process."""

    # --- time -----------------------------------------------------------------------------------------------------

    def later(self, delay_ms: int, call: Callable[..., None], *args: Any, stream: str = "") -> None:
        """Call in this life, not before `delay_ms`; calls of one stream keep their order even through a pause."""
        self.world.at(self.world.now_ms + delay_ms, self._arrive, self.life, stream, call, args)

    def _arrive(self, life: int, stream: str, call: Callable[..., None], args: tuple[Any, ...]) -> None:
        if life != self.life or not self.alive:
            return
        if self._inbox or self.paused_until > self.world.now_ms:
            self._inbox.append((stream, call, args))
        else:
            call(*args)

    def pause(self, length_ms: int) -> None:
        """SIGSTOP, and SIGCONT after `length_ms`."""
        if self.alive and self.paused_until <= self.world.now_ms:
            self.world.count("pauses")
            self.world.note(f"{self.name} is paused for {length_ms} ms")
            self.paused_until = self.world.now_ms + length_ms
            self.world.at(self.paused_until, self._resume, self.life)

    def wake_up(self) -> None:
        """SIGCONT, early."""
        if self.alive and self.paused_until > self.world.now_ms:
            self.paused_until = self.world.now_ms
            self._resume(self.life)

    def _resume(self, life: int) -> None:
        """What waited comes at once, its streams in any order among one another."""
        if life != self.life or not self.alive or self.paused_until > self.world.now_ms:
            return
        streams: dict[str, deque[tuple[Callable[..., None], tuple[Any, ...]]]] = {}
        for stream, call, args in self._inbox:
            streams.setdefault(stream, deque()).append((call, args))
        self._inbox.clear()
        names = list(streams)
        while names:
            name = self.world.rng.choice(names)
            call, args = streams[name].popleft()
            if not streams[name]:
                names.remove(name)
            call(*args)
            if life != self.life or not self.alive:
                return

    def cut(self, length_ms: int) -> None:
        """No way to the broker and back for that long; the process runs on."""
        self.world.count("cuts")
        self.world.note(f"{self.name} is cut off for {length_ms} ms")
        self.cut_until = max(self.cut_until, self.world.now_ms + length_ms)

    def trip_ms(self) -> int:
        """How long one way between process and broker takes now."""
        return max(self.cut_until - self.world.now_ms, 0) + self.world.network_ms()
