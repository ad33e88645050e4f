"""Relay, payment and confirmation of one stage, by hand: answers what orders ask for, when the test says so."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import TopicPartition

from domain.ids import home_partition, parse_order
from domain.orders import Ask, Booked, GrantedLine, LineAnswered, PayAnswered, Reserved
from domain.outcomes import Outcome
from domain.payment import Operation, PayOutcome
from domain.roles import Role
from streams.kafka import hot_consumer
from streams.order_events import AskBody, OrderEvent, decode
from streams.records import UndecodableError
from tests.integration.counter import now_ms
from tests.integration.desk import HOLD_MS, Desk

PRICE = 2_500
_STOCK = {Ask.COMMIT: Outcome.COMMITTED, Ask.RELEASE: Outcome.RELEASED, Ask.EXTEND: Outcome.EXTENDED}
_PAY = {
    Ask.AUTHORISE: (Operation.AUTHORISE, PayOutcome.AUTHORISED),
    Ask.CAPTURE: (Operation.CAPTURE, PayOutcome.CAPTURED),
    Ask.VOID: (Operation.VOID, PayOutcome.VOIDED),
    Ask.REFUND: (Operation.REFUND, PayOutcome.REFUNDED),
}


class Hands:
    """`refused`: SKUs of which nothing is to be had. Asks of kinds in `idle` wait until they are taken out of it."""

    def __init__(self, desk: Desk, refused: Collection[str] = (), idle: Collection[str] = ()) -> None:
        self._desk = desk
        self._refused = refused
        self._idle = set(idle)
        self._waiting: list[tuple[OrderEvent, AskBody]] = []

    async def go_on(self, *kinds: str) -> None:
        """Answer asks of these kinds from now on, and those that wait."""
        self._idle -= set(kinds)
        waiting, self._waiting = self._waiting, []
        for event, ask in waiting:
            await self._take(event, ask)

    async def run(self) -> None:
        """Read all events from the beginning, until cancelled."""
        topic, stage = self._desk.topics.order_events.name, self._desk.stage
        consumer = hot_consumer(stage.servers, "hands")
        await consumer.start()
        try:
            places = [TopicPartition(topic, partition) for partition in range(stage.partitions)]
            consumer.assign(places)
            for place in places:
                consumer.seek(place, 0)
            while True:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        try:
                            event = decode(record.headers, record.value)
                        except UndecodableError:
                            continue
                        for ask in event.asks if isinstance(event, OrderEvent) else ():
                            await self._take(event, ask)
        finally:
            await consumer.stop()

    async def _take(self, event: OrderEvent, ask: AskBody) -> None:
        if ask.kind in self._idle:
            self._waiting.append((event, ask))
            return
        role, command = self._answer(event, ask)
        order = parse_order(event.order)
        await self._desk.send(home_partition(order), command, role=role)

    def _answer(self, event: OrderEvent, ask: AskBody) -> tuple[Role, Any]:
        order, kind = parse_order(event.order), Ask(ask.kind)
        if kind is Ask.RESERVE:
            granted = [line for line in ask.lines if line.sku not in self._refused]
            refused = [line for line in ask.lines if line.sku in self._refused]
            if refused and not ask.partial:
                granted = []
            deadline_ms = now_ms() + HOLD_MS
            return Role.RELAY, Reserved(
                order,
                ask.partition,
                Outcome.GRANTED if granted else Outcome.SOLD_OUT,
                tuple(GrantedLine(line.line, PRICE, "EUR", deadline_ms) for line in granted),
                tuple((line.line, Outcome.SOLD_OUT) for line in refused),
            )
        if kind is Ask.RETURN:
            return Role.RELAY, LineAnswered(order, ask.line, ask.kind, Outcome.RETURNED, ask.reference)
        if kind in _STOCK:
            return Role.RELAY, LineAnswered(order, ask.line, ask.kind, _STOCK[kind])
        if kind is Ask.CONFIRM:
            return Role.CONFIRMATION, Booked(order, event.version)
        operation, outcome = _PAY[kind]
        amount = ask.authorised if kind in {Ask.AUTHORISE, Ask.VOID} else ask.amount
        return Role.PAYMENT, PayAnswered(order, ask.attempt, operation, outcome, "pi_1", amount, ask.key)


@asynccontextmanager
async def hands(desk: Desk, refused: Collection[str] = (), idle: Collection[str] = ()) -> AsyncIterator[Hands]:
    """At work for as long as the block lasts."""
    working = Hands(desk, refused, idle)
    task = asyncio.create_task(working.run())
    try:
        yield working
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
