"""What an agent has in hand: who begins, who waits, what is the same again, what is dropped, what lives longer."""

import itertools

import pytest

from domain.ids import order_text
from domain.order_shapes import WELL_FORMED_ORDER
from domain.orders import TO_COMPENSATION, TO_PAYMENT, Ask, OrphanClosed, PayAnswered, Queued
from domain.payment import Operation, PayOutcome
from domain.payment_ask import Done
from domain.provider import Create, Tags
from domain.roles import Role
from streams.order_events import AskBody, OrderEvent
from streams.paying import answer_of, asks_of
from streams.payment_desk import Desk, Manners

NOW_MS = 1_800_000_000_000
ORDER = bytes.fromhex("00010203040586078809 0a0b0c0d0e0f".replace(" ", ""))
OTHER = ORDER[:-1] + b"\x10"


class Scene:
    def __init__(self, kinds=TO_PAYMENT, **options):
        self.desk = Desk("env", kinds, lambda: 0.0, **options)
        self._offsets = itertools.count()

    def event(self, *asks, order=ORDER, pay="A", attempt=1, kind="changed", at=None, **fields):
        offset, index = at or (next(self._offsets), 0)
        return OrderEvent(
            kind, order_text(order), 1, offset, index, fields.pop("time_ms", NOW_MS), 1, "PAYMENT_PENDING",
            pay=pay, attempt=attempt, asks=list(asks), **fields,
        )  # fmt: skip

    def hear(self, *asks, **fields):
        return self.desk.hear(self.event(*asks, **fields), NOW_MS)


def ask(kind, attempt=1, **fields):
    return AskBody(kind, attempt=attempt, authorised=900, currency="EUR", asked_ms=NOW_MS, **fields)


AUTHORISE = ask("authorise", method="pm", deadline_ms=NOW_MS + 100_000)


@pytest.fixture
def scene():
    return Scene()


def test_a_request_begins_at_once_and_those_of_other_orders_beside_it(scene):
    (first,) = scene.hear(AUTHORISE)
    (second,) = scene.hear(AUTHORISE, order=OTHER)
    assert (first.ask.tags, second.ask.tags) == (Tags("env", order_text(ORDER), 1), Tags("env", order_text(OTHER), 1))
    assert isinstance(first.run.step(NOW_MS), Create)


def test_another_request_of_the_same_order_waits_until_the_first_has_ended(scene):
    (first,) = scene.hear(AUTHORISE)
    assert scene.hear(ask("capture", intent="pi", amount=900), pay="C") == []
    second = scene.desk.finish(first)
    assert second.ask.kind is Ask.CAPTURE
    assert scene.desk.finish(second) is None
    assert scene.desk.jobs == 0


def test_a_request_that_is_made_again_is_the_one_in_hand_which_is_woken(scene):
    (job,) = scene.hear(AUTHORISE)
    woken = []
    job.wake = lambda: woken.append(True)
    assert scene.hear(AUTHORISE, kind="requested") == []
    assert woken == [True]
    assert scene.desk.finish(job) is None
    assert len(scene.hear(AUTHORISE, kind="requested")) == 1


def test_a_hint_wakes_the_request_that_it_is_about_instead_of_waiting_behind_it(scene):
    (job,) = scene.hear(AUTHORISE)
    woken = []
    job.wake = lambda: woken.append(True)
    assert scene.hear(ask("look", intent="pi"), kind="requested") == []
    assert woken == [True]
    assert scene.desk.finish(job) is None
    (look,) = scene.hear(ask("look", intent="pi"), kind="requested")
    assert look.ask.waits is Operation.AUTHORISE


def test_an_event_that_is_published_again_asks_for_nothing(scene):
    (job,) = scene.hear(AUTHORISE, at=(7, 1))
    scene.desk.finish(job)
    for place in ((7, 1), (7, 0), (6, 9)):
        assert scene.hear(AUTHORISE, at=place) == []
    assert len(scene.hear(AUTHORISE, at=(7, 2))) == 1


def test_requests_of_other_roles_are_left_to_them():
    asks = [ask(kind) for kind in ("authorise", "capture", "look", "void", "refund", "orphan", "confirm", "commit")]
    for kinds, expected in ((TO_PAYMENT, asks[:3]), (TO_COMPENSATION, asks[3:6])):
        event = Scene(kinds).event(*asks)
        assert [one.kind for one in asks_of(event, "env", kinds)] == [one.kind for one in expected]


@pytest.mark.parametrize(
    ("news", "dropped"),
    [
        ({"pay": "A"}, False),
        ({"pay": ""}, False),
        ({"pay": "H"}, True),
        ({"pay": "V"}, True),
        ({"pay": "W"}, True),
        ({"pay": "A", "attempt": 2}, True),
        ({"pay": "V", "kind": "requested"}, False),
        ({"pay": "V", "order": OTHER}, False),
    ],
)
def test_what_the_order_no_longer_waits_for_is_not_sent_any_more(scene, news, dropped):
    (job,) = scene.hear(AUTHORISE)
    create = job.run.step(NOW_MS)
    scene.hear(**news)
    assert job.run.may_send(create, NOW_MS) is not dropped


def test_a_void_is_never_dropped_and_a_refund_only_when_it_is_settled():
    scene = Scene(TO_COMPENSATION)
    jobs = [
        *scene.hear(ask("void", intent="pi"), pay="V"),
        *scene.hear(ask("refund", intent="pi", amount=900), order=OTHER, pay="R"),
    ]
    calls = [job.run.step(NOW_MS) for job in jobs]

    def sent():
        return [job.run.may_send(call, NOW_MS) for job, call in zip(jobs, calls, strict=True)]

    scene.hear(pay="X", attempt=3)
    scene.hear(order=OTHER, pay="R", kind="progressed")
    assert sent() == [True, True]
    scene.hear(order=OTHER, pay="F")
    assert sent() == [True, False]


def test_two_refunds_of_an_order_are_two_requests():
    scene = Scene(TO_COMPENSATION)
    (first,) = scene.hear(ask("refund", intent="pi", amount=1, key="a"), pay="R")
    assert scene.hear(ask("refund", intent="pi", amount=1, key="b"), pay="R") == []
    assert scene.desk.finish(first).ask.key == "b"


def test_an_authorisation_that_waits_keeps_its_order_alive_once_a_deadline(scene):
    (job,) = scene.hear(AUTHORISE)
    assert scene.desk.prolong(NOW_MS, 0) == []
    near_ms = NOW_MS + 75_000
    until_ms = near_ms + Manners().by_ms
    assert scene.desk.prolong(near_ms, 0) == [Queued(ORDER, 1, until_ms)]
    assert scene.desk.prolong(near_ms + 1_000, 0) == []
    scene.hear(kind="progressed", deadline_ms=until_ms)
    assert job.run.deadline_ms == until_ms
    assert scene.desk.prolong(until_ms - 1, 0) == [Queued(ORDER, 1, until_ms - 1 + Manners().by_ms)]


def test_a_long_queue_is_told_before_it_is_stood_in(scene):
    scene.hear(AUTHORISE)
    assert scene.desk.prolong(NOW_MS, 300_000) == [Queued(ORDER, 1, NOW_MS + 300_000 + Manners().by_ms)]


def test_an_order_whose_time_is_over_and_other_requests_are_not_kept_alive(scene):
    scene.hear(AUTHORISE)
    scene.hear(ask("capture", intent="pi", deadline_ms=NOW_MS + 1), order=OTHER, pay="C")
    assert scene.desk.prolong(NOW_MS + 100_000, 0) == []


def test_what_was_asked_long_ago_is_left_to_those_who_ask_again(scene):
    assert scene.hear(AUTHORISE, time_ms=NOW_MS - Manners().history_ms - 1) == []
    assert len(scene.hear(AUTHORISE, time_ms=NOW_MS - Manners().history_ms)) == 1


def test_an_orphan_is_closed_however_long_ago_it_was_seen():
    """No order asks for it again."""
    scene = Scene(TO_COMPENSATION)
    asks = (ask("orphan", intent="pi"), ask("void", intent="pi"))
    (job,) = scene.hear(*asks, pay="", kind="requested", time_ms=NOW_MS - 86_400_000)
    assert job.ask.kind is Ask.ORPHAN
    assert scene.hear(ask("orphan", intent="pi"), ask("orphan", intent="pi_2"), pay="", kind="requested") == []
    assert scene.desk.finish(job).ask.intent == "pi_2"


def test_what_there_is_no_room_for_is_let_go():
    scene = Scene(jobs_max=1)
    (job,) = scene.hear(AUTHORISE)
    assert scene.hear(AUTHORISE, order=OTHER) == []
    assert scene.desk.refused == 1
    assert scene.desk.finish(job) is None
    assert len(scene.hear(AUTHORISE, order=OTHER)) == 1


def test_an_outcome_becomes_the_answer_that_the_order_knows():
    (pay,) = asks_of(Scene().event(AUTHORISE), "env", TO_PAYMENT)
    done = Done(Operation.AUTHORISE, PayOutcome.DECLINED, "pi", 0, "lost_card")
    assert answer_of(pay, done) == PayAnswered(ORDER, 1, "authorise", "declined", "pi", 0, "", "lost_card", "")
    assert answer_of(pay, done._replace(outcome=None)) is None
    orphan = pay._replace(kind=Ask.ORPHAN)
    done = Done(Operation.REFUND, PayOutcome.REFUNDED, "pi", 900)
    assert answer_of(orphan, done) == OrphanClosed(ORDER, 1, "pi", "refunded", 900)
    refund = pay._replace(kind=Ask.REFUND, key="k")
    assert answer_of(refund, done) == PayAnswered(ORDER, 1, "refund", "refunded", "pi", 900, "k", "", "")


def test_words_of_the_provider_that_an_order_would_not_take_are_cut():
    (pay,) = asks_of(Scene().event(AUTHORISE), "env", TO_PAYMENT)
    done = Done(Operation.AUTHORISE, PayOutcome.DECLINED, "pi", 0, "trop cher\u20ac" * 9, "https://" + "x" * 1_024)
    answer = answer_of(pay, done)
    assert WELL_FORMED_ORDER[PayAnswered](answer, Role.PAYMENT, 0)
    assert (answer.reason[:10], answer.action) == ("trop cher?", "")
