"""Buyers: each asks for units under one key, as often as it takes, and then commits, lets go, or does nothing."""

from typing import TYPE_CHECKING, NamedTuple

from domain.outcomes import Outcome
from domain.roles import Role
from domain.stock import Commit, Extend, Release, Reserve, Return
from streams.records import digest
from tests.simulation.gateway import Answer
from tests.simulation.logs import START_MS
from tests.simulation.part import Part

if TYPE_CHECKING:
    from tests.simulation.world import World

NOT_AN_ANSWER = frozenset({Outcome.TOO_LATE, Outcome.UNKNOWN_SKU, Outcome.BUSY, Outcome.FAULT, Outcome.KEY_REUSED})
"""What a key may get before its answer, or beside it: nothing of it is remembered."""
TRIES_MAX = 5


class Wish(NamedTuple):
    """What a buyer wants."""

    hold: bytes
    sku: str
    part: Part
    customer: bytes
    quantity: int


class Buyer:
    """A client of the gateways."""

    def __init__(self, world: "World", wish: Wish) -> None:
        self._world = world
        self._wish = wish
        self._tries = 0
        self._answer: Answer | None = None

    def ask(self) -> None:
        """Send the question, unless it is answered; come back later."""
        if self._answer is not None or self._tries >= TRIES_MAX:
            return
        world = self._world
        rng = world.rng
        self._tries += 1
        gateway = rng.choice(world.gateways)
        if gateway.alive:
            gateway.submit(self._wish.part, self._question(), self)
            if rng.random() < 0.1:
                gateway.submit(self._wish.part, self._question(), self)
        world.at(world.now_ms + rng.randint(150, 1500), self.ask)

    def _question(self) -> Reserve:
        wish = self._wish
        rng = self._world.rng
        patience_ms = rng.randint(0, 400) if rng.random() < 0.1 else 30_000
        quantity = wish.quantity
        if rng.random() < 0.03:
            quantity += 1
            self._world.count("keys reused")
        not_after_ms = wish.part.commands.skew_ms + START_MS + self._world.now_ms + patience_ms
        return Reserve(
            wish.hold,
            wish.sku,
            wish.customer,
            quantity,
            not_after_ms,
            digest(wish.sku.encode(), bytes((quantity,)))[:8],
        )

    def answered(self, answer: Answer) -> None:
        """See Caller."""
        world = self._world
        if answer.outcome in NOT_AN_ANSWER:
            return
        self._wish.part.referee.told(self._wish.hold, answer)
        if self._answer is not None:
            if answer != self._answer:
                world.violated("answers contradict", f"{self._wish} was told {self._answer}, then {answer}")
            return
        self._answer = answer
        if answer.outcome == Outcome.GRANTED:
            self._go_on()

    def _go_on(self) -> None:
        """One of the ways of a hold; each step may come twice, late, or race with another."""
        world = self._world
        rng = world.rng
        wish = self._wish
        hold_ms = world.weather.hold_ms
        way = rng.random()
        if way < 0.4:
            self._soon(rng.randint(0, hold_ms), Commit(wish.hold))
        elif way < 0.55:
            self._soon(rng.randint(hold_ms, 2 * hold_ms + 200), Commit(wish.hold))
        elif way < 0.75:
            self._soon(rng.randint(0, hold_ms), Release(wish.hold))
        elif way < 0.85:
            self._soon(rng.randint(0, 300), Commit(wish.hold))
            self._soon(rng.randint(0, 900), Release(wish.hold))
        if rng.random() < 0.2:
            until_ms = START_MS + world.now_ms + hold_ms + rng.randint(-500, 1500)
            world.operator.soon(rng.randint(0, hold_ms), wish.part, Extend(wish.hold, until_ms))
        if rng.random() < 0.2:
            back = Return(wish.hold, rng.randint(1, 2), 1, rng.random() < 0.5)
            world.operator.soon(rng.randint(200, 3000), wish.part, back)

    def _soon(self, delay_ms: int, command: Commit | Release) -> None:
        world = self._world
        for _ in range(world.rng.choice((1, 1, 2))):
            at_ms = world.now_ms + delay_ms + world.rng.randint(0, 400)
            if world.rng.random() < 0.5:
                world.operator.soon(at_ms - world.now_ms, self._wish.part, command)
            else:
                world.at(at_ms, self._as_an_order, command)

    def _as_an_order(self, command: Commit | Release) -> None:
        """What a relay would send, from a process that may die on it."""
        process = self._world.rng.choice(self._world.gateways)
        if process.alive:
            process.sender.send(self._wish.part, Role.ORDER, [command])
