"""The operator's side: opens the sale, restocks, changes policies, moves partitions, sends garbage."""

from typing import TYPE_CHECKING, Any

from domain.roles import Role
from domain.stock import Adjust, Close, Open, Reserve, SetPolicy
from streams.protocol import Pin, Yield
from tests.simulation.logs import START_MS
from tests.simulation.part import Part
from tests.simulation.process import Process
from tests.simulation.sender import Sender

if TYPE_CHECKING:
    from tests.simulation.world import World

PRICE = 1_999
BREAKS = "BREAKS"
"""The SKU whose Reserve breaks the fold of a world with poison, so that only a ruling gets past it."""
FAULTS = "FAULTS"
"""The SKU whose Reserve meets a bug in `decide`."""


class Operator(Process):
    """Never crashes: what it asks for is part of the scenario."""

    def __init__(self, world: "World") -> None:
        super().__init__(world, "operator")
        self.sender = Sender(self, "operator")
        self._restocks = 0
        self.first_units: dict[str, int] = {}
        """By SKU, where they are not drawn."""

    def open_sale(self) -> None:
        """Pools, first units, and the sale opens."""
        rng = self.world.rng
        weather = self.world.weather
        for sku, part in self.world.skus.items():
            policy = SetPolicy(sku, 0, PRICE, "EUR", weather.limit, weather.hold_ms, "key1")
            self.sender.send(
                part, Role.OPS, [policy, Adjust(sku, self.first_units.get(sku) or rng.randint(1, 6), "initial", "")]
            )
            self.sender.send(part, Role.OPS, [Open(sku, 1)])

    def plan(self) -> None:
        """What comes during the sale."""
        rng = self.world.rng
        load_ms = self.world.weather.load_ms
        skus = list(self.world.skus)
        for _ in range(rng.randint(0, 3)):
            self.later(rng.randint(200, load_ms), self.restock, rng.choice(skus))
        if rng.random() < 0.3:
            self.later(rng.randint(300, load_ms), self.close_and_open, rng.choice(skus))
        for _ in range(rng.randint(0, 4)):
            self.later(rng.randint(100, load_ms), self.oddity)
        for sku in (BREAKS, FAULTS):
            if rng.random() < self.world.weather.poison:
                self.later(rng.randint(300, load_ms), self.poison, sku)

    def soon(self, delay_ms: int, part: Part, command: Any) -> None:
        """Send one command then."""
        self.later(delay_ms, self.sender.send, part, Role.OPS, [command])

    def restock(self, sku: str) -> None:
        """The same reference twice: counted once."""
        self._restocks += 1
        delta = self.world.rng.choice((-2, -1, 1, 2, 3))
        adjust = Adjust(sku, delta, f"restock-{self._restocks}", "recount")
        for delay_ms in (0, self.world.rng.randint(0, 600)):
            self.soon(delay_ms, self.world.skus[sku], adjust)

    def close_and_open(self, sku: str) -> None:
        """A short break."""
        part = self.world.skus[sku]
        self.soon(0, part, Close(sku, 2))
        self.soon(self.world.rng.randint(50, 500), part, Open(sku, 3))

    def oddity(self) -> None:
        """A record that a sound system answers, and forgets."""
        rng = self.world.rng
        part = rng.choice(self.world.parts)
        kind = rng.random()
        if kind < 0.4:
            self.world.count("undecodable records")
            self.sender.send_raw(part, rng.randbytes(rng.randint(0, 40)))
        elif kind < 0.7:
            self.world.count("forbidden commands")
            self.sender.send(part, Role.GATEWAY, [self.world.forged(part)])
        else:
            self._reserve(rng.choice(self.world.stock), "NOWHERE")

    def poison(self, sku: str) -> None:
        """A command that meets a bug."""
        self._reserve(self.world.rng.choice(self.world.stock), sku)

    def _reserve(self, part: Part, sku: str) -> None:
        rng = self.world.rng
        not_after_ms = START_MS + self.world.now_ms + 30_000
        reserve = Reserve(rng.randbytes(17), sku, rng.randbytes(8), 1, not_after_ms, rng.randbytes(8))
        self.sender.send(part, Role.GATEWAY, [reserve])

    def move(self, part: Part) -> None:
        """`turnstile move`: a pin and a yield, with the epoch that the operator knows."""
        rng = self.world.rng
        to = rng.choice(["", *(worker.name for worker in self.world.workers)])
        epoch = part.referee.acceptance.epoch + rng.choice((0, 0, 0, 0, -1, 1))
        not_after_ms = START_MS + self.world.now_ms + rng.choice((5000, 5000, 5000, 100, -100))
        commands: list[Yield | Pin] = [Yield(to, max(epoch, 0), not_after_ms)]
        if rng.random() < 0.4:
            commands.insert(0, Pin(rng.choice((to, ""))))
        self.sender.send(part, Role.OPS, commands)
