"""Runs against the stand-in's book: every sequence of three faults, kills among them, comes to the same money."""

import itertools
import json

import pytest
from stripe._encode import _api_encode

from adapters.stand_in.behaviour import Behaviour
from adapters.stand_in.book import Book, Fate, Request
from adapters.stripe_wire import reply_of, request_of
from domain.orders import Ask
from domain.payment_ask import Done, Patience, PayAsk, Wait
from domain.payment_run import Run
from domain.provider import Limited, NotSent, Tags, Unknown

pytestmark = pytest.mark.slow

START_MS = 1_800_000_000_000
ORDER = "00010203-0405-8607-8809-0a0b0c0d0e0f"
TAGS = Tags("env", ORDER, 1)
FAULTS = ("", "answer_lost", "request_lost", "error_after", "hang", "limited", "killed")
"""What befalls a call: nothing, a fault of the stand-in, a 429, or a kill of the agent before it hears the answer."""
OPEN = Behaviour(reads_per_s=0, writes_per_s=0, hang_ms=1_500)


class Scene:
    """One book, a clock, and what befalls the next calls."""

    def __init__(self, faults=()) -> None:
        self.book = Book(OPEN)
        self.now_ms = START_MS
        self.faults = list(faults)

    def carry_out(self, ask: PayAsk) -> Done:
        """As an agent does; a killed one is followed by another that is asked again."""
        for _ in range(10):
            done = self._one_life(ask)
            if done:
                return done
        raise AssertionError("never at its end")

    def _one_life(self, ask):
        run = Run(ask, self.now_ms, lambda: 0.3)
        step = run.step(self.now_ms)
        for _ in range(100):
            if isinstance(step, Done):
                return step
            if isinstance(step, Wait):
                self.now_ms = max(self.now_ms, step.until_ms)
                step = run.step(self.now_ms)
                continue
            fault = self.faults.pop(0) if self.faults else ""
            reply = self._call(step, fault) if run.may_send(step, self.now_ms) else NotSent()
            if fault == "killed":
                self.now_ms += 30_000
                return None
            step = run.step(self.now_ms, reply)
        raise AssertionError("goes in circles")

    def _call(self, call, fault=""):
        self.now_ms += 100
        if fault == "limited":
            return Limited(1_000)
        self.book.behave(
            Behaviour(
                reads_per_s=0, writes_per_s=0, hang_ms=1_500, **({fault: 1.0} if fault in vars_of(Behaviour) else {})
            )
        )
        wire = request_of(call)
        form = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in _api_encode(wire.params)
        }
        outcome = self.book.receive(Request(wire.method.upper(), wire.path, form, wire.key), self.now_ms)
        self.now_ms += outcome.delay_ms if outcome.fate is not Fate.HANG else 0
        if outcome.answer is None:
            return Unknown(outcome.fate.name, outage=True)
        return reply_of(outcome.answer.status, outcome.answer.headers, json.loads(outcome.answer.body))

    def intents(self):
        self.book.advance(self.now_ms + 10_000)
        return list(self.book.shelf.intents.values())


def vars_of(struct):
    return struct.__struct_fields__


def ask_of(kind: Ask, scene: Scene, **fields) -> PayAsk:
    known = {"authorised": 900, "currency": "EUR", "method": "pm_card_visa", "asked_ms": scene.now_ms}
    return PayAsk(kind, TAGS, **{**known, **fields})


def sequences():
    return itertools.product(FAULTS, repeat=3)


def test_an_authorisation_makes_one_intent_whatever_befalls_its_calls():
    for faults in sequences():
        scene = Scene(faults)
        done = scene.carry_out(ask_of(Ask.AUTHORISE, scene))
        (intent,) = scene.intents()
        assert (done.outcome, done.intent, done.amount, intent.status) == (
            "authorised",
            intent.id,
            900,
            "requires_capture",
        ), faults


def test_a_declined_card_is_declined_whatever_befalls_its_calls():
    for faults in sequences():
        scene = Scene(faults)
        done = scene.carry_out(ask_of(Ask.AUTHORISE, scene, method="pm_card_chargeDeclinedInsufficientFunds"))
        (intent,) = scene.intents()
        assert (done.outcome, done.reason, intent.status) == (
            "declined",
            "insufficient_funds",
            "requires_payment_method",
        ), faults


def test_a_capture_takes_its_amount_once_whatever_befalls_its_calls():
    for faults in sequences():
        scene = Scene()
        intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene)).intent
        scene.faults = list(faults)
        done = scene.carry_out(ask_of(Ask.CAPTURE, scene, intent=intent, amount=700))
        (after,) = scene.intents()
        assert (done.outcome, done.amount, after.captured) == ("captured", 700, 700), faults


@pytest.mark.parametrize("known", [True, False])
def test_a_void_leaves_nothing_alive_and_a_late_create_finds_its_key_taken(known):
    for faults in sequences():
        scene = Scene()
        intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene)).intent
        scene.faults = list(faults)
        done = scene.carry_out(ask_of(Ask.VOID, scene, intent=intent if known else ""))
        late = scene.carry_out(ask_of(Ask.AUTHORISE, scene, asked_ms=START_MS))
        (after,) = scene.intents()
        assert (done.outcome, late.outcome, after.status) == ("voided", "cancelled", "canceled"), faults


def test_a_void_of_what_was_never_sent_keeps_a_late_create_from_charging():
    for faults in sequences():
        scene = Scene(faults)
        done = scene.carry_out(ask_of(Ask.VOID, scene))
        late = scene.carry_out(ask_of(Ask.AUTHORISE, scene, asked_ms=START_MS))
        (after,) = scene.intents()
        assert (done.outcome, late.outcome, after.status) == ("voided", "cancelled", "canceled"), faults


def test_a_void_after_the_capture_tells_that_the_money_was_taken():
    for faults in sequences():
        scene = Scene()
        intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene)).intent
        scene.carry_out(ask_of(Ask.CAPTURE, scene, intent=intent, amount=900))
        scene.faults = list(faults)
        done = scene.carry_out(ask_of(Ask.VOID, scene))
        assert (done.outcome, done.intent, done.amount) == ("captured", intent, 900), faults


def test_a_refund_goes_back_once_whatever_befalls_its_calls():
    for faults in sequences():
        scene = Scene()
        intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene)).intent
        scene.carry_out(ask_of(Ask.CAPTURE, scene, intent=intent, amount=900))
        scene.faults = list(faults)
        first = scene.carry_out(ask_of(Ask.REFUND, scene, intent=intent, amount=300, key="one"))
        second = scene.carry_out(ask_of(Ask.REFUND, scene, intent=intent, amount=300, key="two"))
        (after,) = scene.intents()
        assert (first.outcome, second.outcome, after.refunded) == ("refunded", "refunded", 600), faults


def test_a_refund_of_the_whole_twice_is_one():
    for faults in sequences():
        scene = Scene()
        intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene)).intent
        scene.carry_out(ask_of(Ask.CAPTURE, scene, intent=intent, amount=900))
        scene.faults = list(faults)
        first = scene.carry_out(ask_of(Ask.REFUND, scene, intent=intent, amount=900))
        scene.now_ms += 25 * 3_600_000  # the keys are forgotten
        second = scene.carry_out(ask_of(Ask.REFUND, scene, intent=intent, amount=900, asked_ms=START_MS))
        (after,) = scene.intents()
        assert (first.outcome, second.outcome, after.refunded) == ("refunded", "refunded", 900), faults


@pytest.mark.parametrize("captured", [True, False])
def test_orphans_hold_no_money_whatever_befalls_the_calls(captured):
    for faults in sequences():
        scene = Scene()
        intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene)).intent
        if captured:
            scene.carry_out(ask_of(Ask.CAPTURE, scene, intent=intent, amount=900))
        scene.faults = list(faults)
        scene.carry_out(ask_of(Ask.ORPHAN, scene, intent=intent))
        (after,) = scene.intents()
        assert (after.status, after.captured - after.refunded) == ("succeeded" if captured else "canceled", 0), faults


def test_a_repeat_after_the_provider_forgot_the_key_makes_no_second_intent():
    scene = Scene()
    first = scene.carry_out(ask_of(Ask.AUTHORISE, scene))
    scene.now_ms += 25 * 3_600_000
    again = scene.carry_out(ask_of(Ask.AUTHORISE, scene, asked_ms=START_MS))
    assert len(scene.intents()) == 1
    assert again == first


def test_a_refund_that_fails_after_it_had_succeeded_is_made_again_when_somebody_hints_at_the_money():
    scene = Scene()
    intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene, method="pm_card_refundFail")).intent
    scene.carry_out(ask_of(Ask.CAPTURE, scene, intent=intent, amount=900))
    assert scene.carry_out(ask_of(Ask.REFUND, scene, intent=intent, amount=900)).outcome == "refunded"
    (failed,) = scene.intents()
    assert failed.refunded == 0
    scene.now_ms += 10_000
    done = scene.carry_out(ask_of(Ask.ORPHAN, scene, intent=intent))
    assert (done.outcome, done.amount) == ("refunded", 900)


def test_a_refund_that_takes_its_time_is_waited_for():
    scene = Scene()
    intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene, method="pm_card_pendingRefund")).intent
    scene.carry_out(ask_of(Ask.CAPTURE, scene, intent=intent, amount=900))
    began_ms = scene.now_ms
    assert scene.carry_out(ask_of(Ask.REFUND, scene, intent=intent, amount=900)).outcome == "refunded"
    assert scene.now_ms - began_ms >= OPEN.refund_ms


def test_an_authorisation_that_expired_cannot_be_captured():
    scene = Scene()
    intent = scene.carry_out(ask_of(Ask.AUTHORISE, scene)).intent
    scene.book.expire(intent, scene.now_ms)
    assert scene.carry_out(ask_of(Ask.CAPTURE, scene, intent=intent, amount=900)).outcome == "failed"


def test_no_run_waits_less_than_its_patience_says():
    scene = Scene(["request_lost", "request_lost", "request_lost"])
    scene.carry_out(ask_of(Ask.AUTHORISE, scene))
    assert scene.now_ms - START_MS >= sum(Patience().retries_ms)
