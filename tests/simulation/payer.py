"""The payment and compensation agents: runs of domain/payment_run.py against the stand-in's book, on simulated time."""

import json
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from adapters.stand_in.book import Fate, Outcome, Request
from adapters.stripe_wire import reply_of, request_of
from domain.ids import parse_order
from domain.orders import TO_COMPENSATION, TO_PAYMENT, Ask, Hint
from domain.payment_ask import Done, Wait
from domain.provider import Call, NotSent, Reply, Unknown
from domain.roles import Role
from streams.order_events import OrderEvent
from streams.paying import answer_of
from streams.payment_desk import Desk, Job
from tests.simulation.agent import Agent
from tests.simulation.forms import flat
from tests.simulation.part import Part

if TYPE_CHECKING:
    from tests.simulation.journey import Journey

TIMEOUT_MS = 600
SWEEP_MS = 3000


class Shell:
    """Around one job: what it waits for, and whom its end concerns. `turn` tells a timer that it is late."""

    __slots__ = ("calling", "done", "job", "part", "turn")

    def __init__(self, job: Job, part: Part, done: Callable[[], None]) -> None:
        self.job = job
        self.part = part
        self.done = done
        self.turn = 0
        self.calling = False


class Payer(Agent):
    """One process: a desk, and its calls to the provider."""

    world: "Journey"
    kinds: frozenset[Ask] = TO_PAYMENT
    desk: Desk

    def on_start(self) -> None:
        world = self.world
        jitter = Random(world.rng.getrandbits(32)).random
        self.desk = Desk(world.environment, self.kinds, jitter, world.trade.patience, world.trade.manners)
        self._backlog_ms = 0
        super().on_start()
        self.later(world.rng.randint(50, 300), self._prolong)

    @property
    def clock_ms(self) -> int:
        """This process's."""
        return self.world.provider.now_ms

    def handle(self, part: Part, values: list[bytes], begin: Callable[[], None], done: Callable[[], None]) -> None:
        for value in values:
            event = self.world.facts[value].event
            if isinstance(event, OrderEvent):
                for job in self.desk.hear(event, self.clock_ms):
                    self._begin(job, part, begin, done)

    def _begin(self, job: Job, part: Part, begin: Callable[[], None], done: Callable[[], None]) -> None:
        world = self.world
        on_receipt = world.trade.ack_on_receipt
        if not on_receipt:
            begin()
        shell = Shell(job, part, _nothing if on_receipt else done)
        job.wake = lambda: self._woken(shell)
        wait_ms = world.rng.randint(0, 20)
        if job.ask.kind is Ask.AUTHORISE and world.rng.random() < world.trade.queued:
            self._backlog_ms = world.rng.randint(100, 3000)
            wait_ms += self._backlog_ms
            world.count("payments queued")
            self._prolong_now()
        self._at(shell, wait_ms)

    def _prolong(self) -> None:
        """Every now and then: who waits too long for its turn lives longer."""
        self._prolong_now()
        self.later(self.world.rng.randint(50, 300), self._prolong)

    def _prolong_now(self) -> None:
        for queued in self.desk.prolong(self.clock_ms, self._backlog_ms):
            self.world.count("orders told to live longer")
            self.sender.send(self.world.home(queued.order), Role.PAYMENT, [queued])

    def _at(self, shell: Shell, wait_ms: int) -> None:
        shell.turn += 1
        self.later(max(wait_ms, 0) + 1, self._due, shell, shell.turn)

    def _due(self, shell: Shell, turn: int) -> None:
        if turn == shell.turn:
            self._advance(shell, None)

    def _woken(self, shell: Shell) -> None:
        """There is news: not the whole wait."""
        if not shell.calling:
            self._at(shell, 0)

    def _advance(self, shell: Shell, reply: Reply | None) -> None:
        shell.turn += 1
        shell.calling = False
        step = shell.job.run.step(self.clock_ms, reply)
        if isinstance(step, Done):
            self._end(shell, step)
        elif isinstance(step, Wait):
            self._at(shell, step.until_ms - self.clock_ms)
        else:
            shell.calling = True
            self.later(self.world.rng.randint(1, 5), self._call, shell, step)

    def _call(self, shell: Shell, call: Call) -> None:
        world = self.world
        if not shell.job.run.may_send(call, self.clock_ms):
            world.count("calls not sent")
            self._advance(shell, NotSent())
            return
        point = f"{type(call).__name__.lower()} for {shell.job.ask.kind.value}"
        world.count(f"call: {point}")
        world.reached(f"before a {point}", self)
        if not self.alive:
            return
        wire = request_of(call)
        request = Request(wire.method.upper(), wire.path, flat(wire.params), wire.key)
        outcome = world.provider.book.receive(request, world.provider.now_ms)
        world.reached(f"after a {point}", self)
        if not self.alive:
            return
        if outcome.fate is Fate.HANG or outcome.delay_ms > TIMEOUT_MS:
            world.count("calls timed out")
            self.later(TIMEOUT_MS, self._advance, shell, Unknown("timeout"))
        elif outcome.fate is Fate.LOST:
            world.count("calls lost")
            self.later(outcome.delay_ms + 1, self._advance, shell, Unknown("lost"))
        else:
            self.later(outcome.delay_ms + 1, self._advance, shell, understood(outcome))

    def _end(self, shell: Shell, step: Done) -> None:
        job = shell.job
        came_to = step.outcome.value if step.outcome else "nothing to tell"
        self.world.count(f"{job.ask.kind.value}: {came_to}")
        following = self.desk.finish(job)
        if following:
            self._begin(following, shell.part, _nothing, _nothing)
        command = answer_of(job.ask, step)
        if command is None:
            shell.done()
            return
        self.world.count(f"batches of {self.program.name}")
        self.sender.send(shell.part, Role.PAYMENT, [command], shell.done)

    def behind(self) -> str:
        """Also what it is at."""
        return f"{self.name} has {self.desk.jobs} jobs" if self.desk.jobs else super().behind()


def _nothing() -> None:
    """The commit does not wait."""


class Compensator(Payer):
    """Voids, refunds, orphans."""

    kinds = TO_COMPENSATION

    def on_start(self) -> None:
        super().on_start()
        self.later(SWEEP_MS, self._sweep)

    def _sweep(self) -> None:
        """agents/sweep.py, of strays alone: what it finds of orders would hide that somebody has left it there."""
        for intent in self.world.provider.stray_money():
            order = parse_order(intent.metadata["order"])
            self.world.count("strays swept")
            hint = Hint(order, int(intent.metadata["attempt"]), intent.id, intent.id, "sweep")
            self.sender.send(self.world.home(order), Role.PAYMENT, [hint])
        self.later(SWEEP_MS, self._sweep)


def understood(outcome: Outcome) -> Reply:
    """As adapters/stripe_provider.py reads it."""
    answer = outcome.answer
    assert answer is not None
    return reply_of(answer.status, answer.headers, json.loads(answer.body))
