"""Carries out what orders ask of their money: many at once, the requests of one order one after another."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from time import monotonic
from typing import Any, NamedTuple

from adapters.payments import Provider
from agents.answers import Answers
from agents.gate import Gate
from agents.times import wall_ms
from domain.ids import home_partition
from domain.orders import Ask
from domain.payment_ask import PATIENCE, Done, Wait
from domain.provider import Call, Limited, NotSent, Reply, Unknown, Write
from streams.actions import Action
from streams.logs import Log
from streams.metrics import PaymentMetrics
from streams.order_events import OrderEvent
from streams.paying import answer_of
from streams.payment_desk import Desk, Job

TIDY_S = 1.0
LEAVE_S = 0.02
ALARM_TRIES = len(PATIENCE.retries_ms) + 1
"""A request that is still open after its retries is somebody's business; then at twice as many tries, and so on."""
RANKS = {Ask.CAPTURE: 0, Ask.REFUND: 1, Ask.VOID: 1, Ask.AUTHORISE: 2, Ask.LOOK: 3, Ask.ORPHAN: 3}
"""Who goes first where calls have to wait: goods that are sold before goods that are held."""

Watch = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class Till(NamedTuple):
    """What a cashier works with. `watch` runs a coroutine whose end by exception ends the process.

    `alarm`: what is logged of a request that takes too long; `alarmed` counts alarms by their label.
    """

    desk: Desk
    provider: Provider
    gate: Gate
    answers: Answers
    metrics: PaymentMetrics
    log: Log
    watch: Watch
    alarm: Action
    alarmed: Callable[[str], None]


class Cashier:
    """Of one agent. `limit` gives the calls a second that this process may make now, of each kind."""

    def __init__(self, till: Till, limit: Callable[[], float]) -> None:
        self._till = till
        self._limit = limit
        self._stuck: Counter[Ask] = Counter()

    def hear(self, events: Iterable[OrderEvent]) -> None:
        """Begin what they ask for. All of them are heard before anything is sent: later ones may undo earlier ones."""
        now_ms = wall_ms()
        for event in events:
            for job in self._till.desk.hear(event, now_ms):
                self._till.watch(self._serve(job))

    async def leave(self) -> None:
        """Call nobody any more; return when the calls in flight are answered, and the orders that waited for that."""
        gate, answers = self._till.gate, self._till.answers
        gate.close()
        while gate.in_flight or answers.pending:  # noqa: ASYNC110 - two conditions, once in a process's life
            await asyncio.sleep(LEAVE_S)

    async def tidy(self) -> None:
        """Keep holds alive whose payments wait, keep to the limit, show what there is; for ever."""
        desk, gate, metrics = self._till.desk, self._till.gate, self._till.metrics
        while True:
            gate.set_rate(self._limit())
            for queued in desk.prolong(wall_ms(), int(gate.queue_s * 1_000)):
                self._till.answers.put(home_partition(queued.order), queued)
            metrics.jobs.set(desk.jobs)
            metrics.queue.set(gate.waiting)
            metrics.in_flight.set(gate.in_flight)
            metrics.let_go.inc(desk.refused)
            desk.refused = 0
            for kind in Ask:
                if kind in RANKS:
                    metrics.stuck(kind.value, self._stuck[kind])
            await asyncio.sleep(TIDY_S)

    async def _serve(self, job: Job) -> None:
        """One job, and those of the same order that have come meanwhile."""
        following: Job | None = job
        while following:
            job = following
            done = await self._carry_out(job)
            self._tell_of(job, done)
            answer = answer_of(job.ask, done)
            if answer:
                await self._till.answers.put(home_partition(answer.order), answer)
            following = self._till.desk.finish(job)

    async def _carry_out(self, job: Job) -> Done:
        run, last = job.run, ""
        step = run.step(wall_ms())
        while not isinstance(step, Done):
            if isinstance(step, Wait):
                self._alarm(job, last)
                await _sleep(job, step.until_ms)
                step = run.step(wall_ms())
            else:
                reply = await self._call(job, step)
                last = _reason(reply) or last
                step = run.step(wall_ms(), reply)
        self._stuck[job.ask.kind] -= bool(job.alarmed)
        return step

    async def _call(self, job: Job, call: Call) -> Reply:
        gate, metrics = self._till.gate, self._till.metrics

        def wanted() -> bool:
            return job.run.may_send(call, wall_ms())

        ticket = await gate.enter(write=isinstance(call, Write), rank=RANKS[job.ask.kind], wanted=wanted)
        if ticket is None:
            return NotSent()
        began_s, reply = monotonic(), None
        try:
            # The process may have stood still since it got its ticket.
            reply = await self._till.provider.perform(call) if wanted() else NotSent()
        finally:
            gate.leave(ticket, reply)
        metrics.called(type(call).__name__, type(reply).__name__, monotonic() - began_s)
        return reply

    def _alarm(self, job: Job, reason: str) -> None:
        """At the alarm's number of tries, and whenever that has doubled."""
        tries = job.run.tries
        if tries < max(ALARM_TRIES, 2 * job.alarmed):
            return
        self._stuck[job.ask.kind] += not job.alarmed
        job.alarmed = tries
        self._till.alarmed(self._till.alarm.label)
        _, order, attempt, _ = job.ask.tags
        self._till.log(
            self._till.alarm, kind=job.ask.kind, order=order, attempt=attempt, tries=tries, reason=reason or "open"
        )

    def _tell_of(self, job: Job, done: Done) -> None:
        kind, (_, order, attempt, _) = job.ask.kind, job.ask.tags
        outcome = done.outcome.value if done.outcome else "none"
        self._till.metrics.came_to(kind.value, outcome)
        if done.outcome is None:
            self._till.log(Action.REQUEST_DROPPED, kind=kind, order=order, attempt=attempt, reason=done.reason)
        elif kind is Ask.ORPHAN:
            self._till.alarmed(Action.ORPHAN_CLOSED.label)
            self._till.log(Action.ORPHAN_CLOSED, order=order, intent=done.intent, amount=done.amount, outcome=outcome)
        else:
            self._till.log(Action.PAYMENT_DONE, kind=kind, order=order, attempt=attempt, outcome=outcome)


async def _sleep(job: Job, until_ms: int) -> None:
    """Until the time has come, or there is news of the order."""
    news = asyncio.Event()
    job.wake = news.set
    timer = asyncio.get_running_loop().call_later(max(0, until_ms - wall_ms()) / 1_000, news.set)
    await news.wait()
    timer.cancel()


def _reason(reply: Reply) -> str:
    match reply:
        case Unknown():
            return reply.why
        case Limited():
            return "rate limit"
    return getattr(reply, "code", "")
