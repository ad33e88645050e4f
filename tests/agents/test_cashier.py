"""The cashier on the stand-in in process: many orders at once, each once, answers written in batches."""

import asyncio
import itertools
import logging
from collections import Counter
from random import Random
from time import monotonic

import pytest
from prometheus_client import CollectorRegistry

from adapters.stand_in.behaviour import Behaviour
from adapters.stand_in.book import Book
from adapters.stripe_provider import KeyedInProcess, with_http
from agents.answers import Answers
from agents.breaker import Breaker, Circuit
from agents.bucket import Bucket
from agents.cashier import Cashier, Till
from agents.gate import Gate
from agents.sweep import SETTLED_MS, Sweep
from agents.times import wall_ms
from domain.ids import order_id, order_text, parse_order
from domain.orders import TO_COMPENSATION, TO_PAYMENT, Hint, Queued
from domain.provider import Capture, Create, Tags
from streams.actions import Action
from streams.logs import Log
from streams.metrics import PaymentMetrics
from streams.order_events import AskBody, OrderEvent
from streams.payment_desk import Desk


class Written:
    """Stands for a CommandWriter: keeps what it is given."""

    def __init__(self):
        self.batches = []

    async def write(self, commands):
        await asyncio.sleep(0.001)
        self.batches += [list(batch) for batch in commands.values()]

    @property
    def commands(self):
        return [command for batch in self.batches for command in batch]


class Scene:
    """An agent without Kafka: the real provider adapter, gate, desk and answers."""

    def __init__(self, kinds=TO_PAYMENT, per_s=0.0, **behaviour):
        self.book = Book(Behaviour(**{"reads_per_s": 0, "writes_per_s": 0, **behaviour}))
        self.provider = with_http(KeyedInProcess(self.book))
        self.written = Written()
        self.answers = Answers(self.written)
        self.metrics = PaymentMetrics(CollectorRegistry())
        self.circuits, self.alarms = [], []
        breaker = Breaker(monotonic, lambda: 0.0, self.circuits.append)
        self.gate = Gate(Bucket(per_s, monotonic), Bucket(per_s, monotonic), breaker, 1_000)
        self.tasks = []
        self.log = Log("test")
        desk = Desk("env", kinds, Random(1).random)
        till = Till(
            desk,
            self.provider,
            self.gate,
            self.answers,
            self.metrics,
            self.log,
            self.watch,
            Action.PAYMENT_UNKNOWN,
            self.alarms.append,
        )
        self.desk = desk
        self.cashier = Cashier(till, lambda: per_s)
        self._offsets = itertools.count()
        self.watch(self.answers.run())
        self.watch(self.cashier.tidy())

    def watch(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.append(task)
        return task

    def ask(self, order, kind, pay="A", attempt=1, **fields):
        known = {"authorised": 900, "currency": "EUR", "asked_ms": wall_ms(), "method": "pm_card_visa"}
        body = AskBody(kind, attempt=attempt, **{**known, **fields})
        place = (0, next(self._offsets), 0)
        return OrderEvent(
            "changed", order_text(order), *place, wall_ms(), 1, "PAYMENT_PENDING", pay=pay, attempt=attempt, asks=[body]
        )

    async def until(self, done, within_s=20):
        deadline = monotonic() + within_s
        while not done():
            for task in self.tasks:
                if task.done() and not task.cancelled() and task.exception():
                    raise task.exception()
            assert monotonic() < deadline, self.written.batches[-1:]
            await asyncio.sleep(0.005)

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def value(self, name, **labels):
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
async def stage():
    scenes = []

    def make(*args, **options):
        scenes.append(Scene(*args, **options))
        return scenes[-1]

    yield make
    for scene in scenes:
        await scene.close()


def orders(count):
    return [order_id(b"key", "me", str(number), 0) for number in range(count)]


@pytest.mark.slow
async def test_hundreds_of_slow_payments_take_no_longer_than_one(stage):
    scene = stage(latency_ms=300)
    began = monotonic()
    scene.cashier.hear([scene.ask(order, "authorise") for order in orders(300)])
    await scene.until(lambda: len(scene.written.commands) == 300)
    assert monotonic() - began < 5
    assert Counter(command.outcome for command in scene.written.commands) == {"authorised": 300}
    assert len(scene.written.batches) < 150
    assert scene.value("turnstile_payment_outcomes_total", kind="authorise", outcome="authorised") == 300


async def test_an_order_is_authorised_captured_and_refunded_in_turn(stage):
    scene = stage(TO_PAYMENT | TO_COMPENSATION)
    (order,) = orders(1)
    scene.cashier.hear([scene.ask(order, "authorise")])
    await scene.until(lambda: len(scene.written.commands) == 1)
    intent = scene.written.commands[0].intent
    scene.cashier.hear([scene.ask(order, "capture", "C", intent=intent, amount=700)])
    scene.cashier.hear([scene.ask(order, "refund", "", intent=intent, amount=700)])
    await scene.until(lambda: len(scene.written.commands) == 3)
    assert [(one.operation, one.outcome, one.amount) for one in scene.written.commands] == [
        ("authorise", "authorised", 900), ("capture", "captured", 700), ("refund", "refunded", 700),
    ]  # fmt: skip
    (charge,) = scene.book.charges()
    assert (charge.captured, charge.refunded) == (700, 700)
    await scene.until(lambda: scene.desk.jobs == 0)


@pytest.mark.slow
async def test_a_queue_of_payments_never_goes_over_the_provider_s_limit_and_loses_none(stage):
    scene = stage(per_s=95, writes_per_s=100)
    began = monotonic()
    scene.cashier.hear([scene.ask(order, "authorise") for order in orders(150)])
    await scene.until(lambda: len(scene.written.commands) == 150)
    assert 1.4 < monotonic() - began < 5
    assert scene.value("turnstile_payment_calls_total", call="Create", reply="IntentSeen") == 150
    assert scene.value("turnstile_payment_calls_total", call="Create", reply="Limited") is None


@pytest.mark.slow
async def test_while_the_provider_is_out_few_ask_it_and_afterwards_nobody_is_lost(stage):
    scene = stage(unavailable=1.0)
    calls = []
    receive = scene.book.receive
    scene.book.receive = lambda *call: calls.append(call) or receive(*call)
    scene.cashier.hear([scene.ask(order, "authorise", deadline_ms=wall_ms() + 31_000) for order in orders(30)])
    await scene.until(lambda: Circuit.OPEN in scene.circuits)
    await scene.until(lambda: scene.circuits.count(Circuit.HALF_OPEN) == 1)
    assert len(calls) <= 31
    scene.book.behave(Behaviour(reads_per_s=0, writes_per_s=0))

    def authorised():
        return [one for one in scene.written.commands if getattr(one, "outcome", "") == "authorised"]

    await scene.until(lambda: len(authorised()) == 30, within_s=30)
    assert {one.order for one in scene.written.commands if isinstance(one, Queued)} == set(orders(30))
    assert len(scene.book.charges()) == 30
    assert scene.circuits[-1] is Circuit.CLOSED


async def test_who_leaves_waits_for_what_is_in_flight_and_begins_nothing_more(stage):
    scene = stage(per_s=5, latency_ms=200)
    scene.cashier.hear([scene.ask(order, "authorise") for order in orders(10)])
    await scene.until(lambda: scene.gate.in_flight)
    await scene.cashier.leave()
    made = len(scene.book.charges())
    assert 1 <= made < 10
    assert len(scene.written.commands) == made
    await asyncio.sleep(0.5)
    assert len(scene.book.charges()) == made


async def test_a_partition_that_takes_no_answers_stops_no_other(stage):
    scene = stage()
    written, stuck = scene.written.write, asyncio.Event()

    async def write(commands):
        if 7 in commands:
            await stuck.wait()
        await written(commands)

    scene.written.write = write
    away, there = order_id(b"key", "me", "away", 7), order_id(b"key", "me", "there", 0)
    scene.cashier.hear([scene.ask(order, "authorise") for order in (away, there)])
    await scene.until(lambda: [one.order for one in scene.written.commands] == [there])
    stuck.set()
    await scene.until(lambda: [one.order for one in scene.written.commands] == [there, away])


async def test_an_event_of_the_same_chunk_that_undoes_a_request_keeps_it_from_being_sent(stage):
    scene = stage()
    (order,) = orders(1)
    scene.cashier.hear([scene.ask(order, "authorise"), scene.ask(order, "void", pay="V")])
    await scene.until(lambda: scene.desk.jobs == 0)
    assert scene.book.charges() == []
    assert scene.written.commands == []


@pytest.mark.slow
async def test_what_stays_unknown_past_its_retries_is_an_alarm_that_names_the_order(stage, caplog):
    scene = stage(request_lost=1.0)
    (order,) = orders(1)
    scene.cashier.hear([scene.ask(order, "authorise")])

    def hurry():
        for lane in scene.desk._lanes.values():
            lane[0].wake()
        return "payment.unknown" in [getattr(record, "action", "") for record in caplog.records]

    with caplog.at_level(logging.WARNING, "test"):
        await scene.until(hurry)
    (record,) = [record for record in caplog.records if record.action == "payment.unknown"]
    assert order_text(order) in record.getMessage()
    assert scene.alarms == ["payment.unknown"]
    await scene.until(lambda: scene.value("turnstile_payment_stuck_requests", kind="authorise") == 1)
    assert scene.written.commands == []


async def test_a_payment_whose_deadline_comes_near_in_the_queue_keeps_its_order_alive(stage):
    scene = stage(latency_ms=60_000)
    (order,) = orders(1)
    scene.cashier.hear([scene.ask(order, "authorise", deadline_ms=wall_ms() + 5_000)])
    await scene.until(lambda: scene.written.commands)
    (queued,) = scene.written.commands
    assert (queued.order, queued.attempt) == (order, 1)
    assert queued.until_ms > wall_ms() + 60_000


async def test_a_sweep_hints_at_money_that_is_alive_and_ours_once(stage):
    scene = stage()
    alive, captured, ended, foreign = (order_text(order) for order in orders(4))
    old = SETTLED_MS + 60_000
    scene.provider._http._clock_ms = lambda: wall_ms() - old
    names = {}
    elsewhere = order_text(order_id(b"key", "me", "9", 8))
    for order, environment, attempt in (
        (alive, "env", 1),
        (captured, "env", 1),
        (ended, "env", 1),
        (foreign, "other", 1),
        ("odd", "env", 1),
        (elsewhere, "env", 1),
        (order_text(order_id(b"key", "me", "9", 0)), "env", 1_000),
    ):
        tags = Tags(environment, order, attempt)
        names[order] = (
            await scene.provider.perform(Create(f"{order}:1:authorise", tags, 900, "EUR", "pm_card_visa"))
        ).id
    await scene.provider.perform(Capture("c:1", names[captured], 900))
    scene.book.expire(names[ended], scene.book.now_ms)
    sweep = Sweep("env", 8, scene.provider, scene.gate, scene.answers, scene.log, every_s=0.05)
    scene.watch(sweep.run())
    await scene.until(lambda: len(scene.written.commands) == 2)
    await asyncio.sleep(0.2)
    assert sorted(scene.written.commands) == sorted(
        Hint(parse_order(order), 1, names[order], names[order], "sweep") for order in (alive, captured)
    )
