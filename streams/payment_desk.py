"""What one payment or compensation agent has in hand: pure, so that the agents and a simulation share it.

Requests of one order are carried out one after another, those of different orders at once. A request that comes again
while it is in hand is the same request. What the order no longer waits for is dropped. Nothing here must outlive the
process: what a kill lost, the orders ask for again.
"""

from collections.abc import Callable, Container
from typing import NamedTuple

from domain.ids import order_bytes
from domain.orders import Ask, Pay, Queued
from domain.payment_ask import PATIENCE, Patience, PayAsk
from domain.payment_run import Run
from streams.order_events import ROW_EVENTS, OrderEvent
from streams.paying import asks_of

JOBS_MAX = 20_000
"""About 3 KB each. What comes beyond is let go: at 25 calls a second its order would not live until its turn."""
PROMPTED = {Ask.AUTHORISE: Pay.AUTHORISING, Ask.CAPTURE: Pay.CAPTURING, Ask.REFUND: Pay.REFUNDING}
"""What an order's money must be waiting for, or the request has no more sense: what an operator settled as refunded was
paid back in another way. A void is never given up: what it ends may not live."""


class Manners(NamedTuple):
    """`before_ms` the deadline of an order whose authorisation waits, the order is told to live `by_ms` longer.

    What an event asked for longer than `history_ms` ago is not taken any more: who still waits has asked again since.
    Nobody asks for an orphan again: it is taken however old it is.
    """

    before_ms: int = 30_000
    by_ms: int = 90_000
    history_ms: int = 900_000


MANNERS = Manners()


class Job:
    """One request in hand. `wake` is called when there is news that may end its waiting."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.wake: Callable[[], None] = _nobody
        self.prolonged_ms = 0
        """The deadline at which its order was last told to live longer."""
        self.alarmed = 0
        """The number of tries at which somebody was last told that it takes long."""

    @property
    def ask(self) -> PayAsk:
        """What is asked for."""
        return self.run.ask


class Desk:
    """`kinds` of requests, of `environment` (the log id as it stands in intents). `jitter` as for a Run."""

    def __init__(
        self,
        environment: str,
        kinds: Container[str],
        jitter: Callable[[], float],
        patience: Patience = PATIENCE,
        manners: Manners = MANNERS,
        jobs_max: int = JOBS_MAX,
    ) -> None:
        self._environment = environment
        self._kinds = kinds
        self._jitter = jitter
        self._patience = patience
        self._manners = manners
        self._jobs_max = jobs_max
        self._lanes: dict[str, list[Job]] = {}
        self._seen: dict[int, tuple[int, int]] = {}
        self.jobs = 0
        self.refused = 0
        """Requests that were let go because there was no room."""

    def hear(self, event: OrderEvent, now_ms: int) -> list[Job]:
        """Take what an event asks for; the jobs that may begin. Events of a partition that came before are nothing new.

        A source partition's first occurrences ascend, so its newest place tells all that is heard again.
        """
        place = (event.offset, event.index)
        if place <= self._seen.get(event.partition, (-1, -1)):
            return []
        self._seen[event.partition] = place
        self._tell(event)
        is_old = event.time_ms < now_ms - self._manners.history_ms
        asks = asks_of(event, self._environment, self._kinds)
        taken = [self._take(ask, now_ms) for ask in asks if ask.kind is Ask.ORPHAN or not is_old]
        return [job for job in taken if job]

    def finish(self, job: Job) -> Job | None:
        """The job is at its end; the next of its order."""
        lane = self._lanes[job.ask.tags.order]
        lane.remove(job)
        self.jobs -= 1
        if lane:
            return lane[0]
        del self._lanes[job.ask.tags.order]
        return None

    def prolong(self, now_ms: int, queue_ms: int) -> list[Queued]:
        """Orders that would come to their end while their authorisation waits: once a deadline. `queue_ms`: to the end.

        An order that may not live longer keeps its deadline, and is told nothing more.
        """
        told = []
        until_ms = now_ms + queue_ms + self._manners.by_ms
        for lane in self._lanes.values():
            for job in lane:
                run, ask = job.run, job.ask
                if ask.kind is not Ask.AUTHORISE or not run.deadline_ms or job.prolonged_ms == run.deadline_ms:
                    continue
                if now_ms < run.deadline_ms <= now_ms + queue_ms + self._manners.before_ms:
                    job.prolonged_ms = run.deadline_ms
                    told.append(Queued(order_bytes(ask.tags.order), ask.tags.attempt, until_ms))
        return told

    def _take(self, ask: PayAsk, now_ms: int) -> Job | None:
        lane = self._lanes.get(ask.tags.order, [])
        for job in lane:
            looks_anyway = ask.kind is Ask.LOOK and job.ask.tags.attempt == ask.tags.attempt
            if job.ask.identity == ask.identity or looks_anyway:
                job.wake()
                return None
        if self.jobs >= self._jobs_max:
            self.refused += 1
            return None
        job = Job(Run(ask, now_ms, self._jitter, self._patience))
        self.jobs += 1
        self._lanes.setdefault(ask.tags.order, lane).append(job)
        return job if lane[0] is job else None

    def _tell(self, event: OrderEvent) -> None:
        """Let the jobs of an order know where it is now. Only an event of the row tells that."""
        if event.kind not in ROW_EVENTS:
            return
        for job in self._lanes.get(event.order, ()):
            ask = job.ask
            awaited = PROMPTED.get(ask.kind)
            if awaited is None:
                continue
            if event.attempt > ask.tags.attempt or (event.pay and event.pay != awaited):
                job.run.drop()
                job.wake()
            elif event.deadline_ms:
                job.run.deadline_ms = event.deadline_ms


def _nobody() -> None:
    """Nobody waits."""
