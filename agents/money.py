"""The frame of the two roles that call the payment provider: order events in, answers of the provider out.

They acknowledge what they have heard at once and work on: what a kill loses, the orders ask for again (30 s, doubling
to 10 min), and its keys make the repeat harmless. So a slow payment blocks neither a partition nor another order.
"""

import sys
from collections.abc import Sequence
from random import Random
from time import monotonic
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition

from adapters.payments import Provider
from adapters.stripe_provider import check_url, make_provider
from agents import duty, exits
from agents.answers import Answers
from agents.breaker import Breaker, Circuit
from agents.bucket import Bucket
from agents.cashier import Cashier, Till
from agents.command_writer import CommandWriter
from agents.duty import Context, Duty
from agents.gate import Gate
from agents.sweep import Sweep
from domain.orders import Ask
from domain.roles import Role
from settings import PaymentSettings
from streams.actions import Action
from streams.chunks import PACE_MS
from streams.logs import Log
from streams.metrics import PaymentMetrics
from streams.payment_desk import Desk
from streams.topics import named
from streams.unreadable import order_event, read

UNPLANNED = 4
"""Before the group says how many agents there are, each takes them for so many."""


class Office(NamedTuple):
    """One of the two roles. `share`: of the provider's limit; `alarm`: of a request that takes too long.

    `sweeps`: looks for money without a living order. `pace_ms`: how long events may wait for each other.
    """

    program: str
    kinds: frozenset[Ask]
    share: float
    alarm: Action
    sweeps: bool = False
    pace_ms: int = PACE_MS


def share_of(per_s: float, members: int) -> float:
    """What one of `members` agents may use of a limit; 0 members: not known yet."""
    return per_s / (members or UNPLANNED)


def run(settings: PaymentSettings, office: Office) -> int:
    """Run until asked to stop; the exit code (agents/exits.py)."""
    try:
        check_url(settings.payments, settings.stripe_key.get_secret_value())
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return exits.CONFIGURATION
    topics = named(settings.namespace)
    reads, writes = [topics.order_events], [topics.order_commands]
    return duty.run(settings, Duty(office.program, reads, writes, office.pace_ms), MoneyAgent(settings, office))


class MoneyAgent:
    """The handler of both roles."""

    def __init__(self, settings: PaymentSettings, office: Office) -> None:
        self._settings = settings
        self._office = office
        self._provider: Provider
        self._writer: CommandWriter
        self._cashier: Cashier
        self._log: Log

    async def start(self, context: Context) -> None:
        """Connect to Kafka; to the provider only when there is something to call it for."""
        settings, office = self._settings, self._office
        self._log = context.log
        self._writer = context.order_commands(Role.PAYMENT)
        await self._writer.start()
        self._provider = make_provider(
            settings.payments,
            key=settings.stripe_key.get_secret_value(),
            timeout_s=settings.call_timeout_s,
            connections=settings.calls_in_flight,
        )
        metrics, random = PaymentMetrics(context.metrics.registry), Random()
        environment = context.identity.log_id.hex()
        gate = self._gate(context, metrics, random)
        answers = Answers(self._writer)
        till = Till(
            desk=Desk(environment, office.kinds, random.random),
            provider=self._provider,
            gate=gate,
            answers=answers,
            metrics=metrics,
            log=context.log,
            watch=context.watch,
            alarm=office.alarm,
            alarmed=context.metrics.alarm,
        )

        def limit() -> float:
            return share_of(settings.calls_per_s * office.share, context.members())

        self._cashier = Cashier(till, limit)
        context.watch(answers.run())
        context.watch(self._cashier.tidy())
        if office.sweeps:
            sweep = Sweep(
                environment,
                context.identity.partitions,
                self._provider,
                gate,
                answers,
                context.log,
                settings.sweep_s,
            )
            context.watch(sweep.run())

    async def take(
        self,
        source: TopicPartition,  # noqa: ARG002 - a handler is told
        records: Sequence[ConsumerRecord],
    ) -> None:
        """Hear what the orders ask for; it is carried out beside."""
        events = (read(record, order_event, self._log) for record in records)
        self._cashier.hear([event for event in events if event is not None])

    async def leave(self) -> None:
        """Wait for the answers to the calls in flight, or their orders would have to ask again, after 30 s."""
        await self._cashier.leave()

    async def stop(self) -> None:
        """Close the connections; calls in flight are asked for again by their orders."""
        await self._provider.close()
        await self._writer.stop()

    def _gate(self, context: Context, metrics: PaymentMetrics, random: Random) -> Gate:
        """Closed but for a crawl until the group's members are known."""
        per_s = share_of(self._settings.calls_per_s * self._office.share, 0)
        reads, writes = Bucket(per_s, monotonic), Bucket(per_s, monotonic)

        def told(circuit: Circuit) -> None:
            metrics.circuit.set(circuit.value)
            if circuit is Circuit.OPEN:
                context.metrics.alarm(Action.PROVIDER_AWAY.label)
                self._log(Action.PROVIDER_AWAY, reason=gate.outage)
            elif circuit is Circuit.CLOSED:
                self._log(Action.PROVIDER_BACK)

        gate = Gate(reads, writes, Breaker(monotonic, random.random, told), self._settings.calls_in_flight)
        return gate
