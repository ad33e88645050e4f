"""The demo's verdict passes an honest sale, and fails whatever was planted."""

import json
from collections.abc import Callable

import msgspec
import pytest

from domain.ids import customer_hash, hold_id, order_text
from domain.outcomes import Outcome
from domain.roles import Role
from domain.stock import Adjust, Granted, Reserve
from ops.demo.answers import Answer
from ops.demo.history import longest_gap_s, read
from ops.demo.orders import Fate
from ops.demo.verdict import Judgement, judge
from streams.stock_records import BATCHES
from tests.ops.honest_log import PRINT, find, with_details
from tests.ops.honest_orders import PRICE
from tests.ops.small_demo import KEYS, OPTIONS, SKU, SmallDemo

KEYS_OF_THE_ISSUE = {
    "shoppers", "units", "granted", "sold", "oversold", "undersold", "double_holds", "duplicates_absorbed", "undecided",
    "wrong_answers", "fifo_violations", "p50_ms", "p99_ms", "decisions_per_s", "failover_s", "verdict",
    "confirmed", "captured", "refunded", "voided", "double_charges", "stuck_orders",
}  # fmt: skip


@pytest.fixture
def demo() -> SmallDemo:
    return SmallDemo()


def verdict(demo: SmallDemo, **fields) -> Judgement:
    return judge(demo.evidence(**fields), KEYS)


def test_an_honest_sale_passes_with_every_figure(demo):
    judgement = verdict(demo)
    assert judgement.reasons == []
    assert set(judgement.figures) >= KEYS_OF_THE_ISSUE
    wanted = {"verdict": "pass", "shoppers": 10, "units": 2, "granted": 3, "sold": 2, "duplicates_absorbed": 2}
    wanted |= {"confirmed": 2, "captured": 2 * PRICE, "refunded": 0, "voided": 0, "orders": 3}
    wanted |= {"killed": "worker-1", "claimed_by": "worker-2", "decided_at_kill": 0.5, "failover_s": 0.601}
    assert {name: judgement.figures[name] for name in wanted} == wanted


def test_the_figures_are_json(demo):
    assert json.loads(json.dumps(verdict(demo).figures))["verdict"] == "pass"


def change(index: int, **fields) -> Callable[[SmallDemo], None]:
    """Another answer to one shopper; `body` fields replace those of the body."""

    def plant(demo: SmallDemo) -> None:
        answer = demo.answers[index]
        body = {**json.loads(answer.body), **fields.pop("body", {})}
        demo.answers[index] = msgspec.structs.replace(answer, body=json.dumps(body), **fields)

    return plant


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(change(0, status=409, body={"outcome": "sold-out"}), id="a grant told as sold out"),
        pytest.param(change(3, status=201, body={"status": "RESERVED"}), id="a refusal told as a grant"),
        pytest.param(change(3, body={"outcome": "sold-out"}), id="another refusal than decided"),
        pytest.param(change(3, body={"receipt": "0:1:0"}), id="a better place in the queue"),
        pytest.param(change(0, body={"receipt": "0:9:9"}), id="another receipt"),
        pytest.param(change(0, body={"unit_price": 1}), id="another price"),
        pytest.param(change(0, body={"quantity": 2}), id="another quantity"),
        pytest.param(change(0, body={"order_id": "0"}), id="another order"),
        pytest.param(change(0, body={"expires_at": "2030-01-01T00:00:00.000Z"}), id="another deadline"),
        pytest.param(change(0, body={"expires_at": "soon"}), id="no deadline"),
        pytest.param(change(3, key="other"), id="an answer that nobody decided"),
    ],
)
def test_an_answer_that_the_ledger_does_not_have_fails(demo, plant):
    plant(demo)
    judgement = verdict(demo)
    assert not judgement.passed
    assert judgement.figures["verdict"] == "fail"
    assert judgement.figures["wrong_answers"] == 1


def test_an_answer_that_is_no_json_fails(demo):
    demo.answers[0] = msgspec.structs.replace(demo.answers[0], body="<html>")
    assert verdict(demo).figures["wrong_answers"] == 1


def test_a_repeat_answered_otherwise_fails_even_if_it_means_the_same(demo):
    index = next(at for at, answer in enumerate(demo.answers) if answer.repeat)
    demo.answers[index] = msgspec.structs.replace(demo.answers[index], body=demo.answers[index].body + " ")
    judgement = verdict(demo)
    assert judgement.figures["wrong_answers"] == 0
    assert judgement.figures["duplicates_absorbed"] == 1
    assert not judgement.passed


def test_a_shopper_who_never_heard_is_undecided(demo):
    demo.answers[3] = msgspec.structs.replace(demo.answers[3], status=0, body="no gateway")
    judgement = verdict(demo)
    assert (judgement.figures["undecided"], judgement.passed) == (1, False)


def test_a_shopper_who_is_missing_is_undecided(demo):
    del demo.answers[3]
    judgement = verdict(demo)
    assert (judgement.figures["undecided"], judgement.passed) == (1, False)


def test_a_command_that_was_never_decided_is_undecided(demo):
    order = demo.order(77)
    demo.log.send(Reserve(hold_id(order), SKU, b"customer", 1, demo.log.now_ms + 1_000, b"f" * 8))
    judgement = verdict(demo)
    assert (judgement.figures["undecided"], judgement.passed) == (1, False)


def test_a_hold_that_never_ended_fails(demo):
    demo.log.do(Adjust(SKU, 1, "again", ""), role=Role.OPS)
    demo.buy(10)
    judgement = verdict(demo)
    assert (judgement.figures["still_held"], judgement.passed) == (1, False)


def test_an_end_that_the_ledger_does_not_have_fails(demo):
    demo.endings[-1] = msgspec.structs.replace(demo.endings[-1], seen="CANCELLED")
    assert verdict(demo).figures["wrong_answers"] == 1


def test_a_holder_who_was_told_no_end_fails(demo):
    demo.endings[-1] = msgspec.structs.replace(demo.endings[-1], seen="")
    assert verdict(demo).figures["wrong_answers"] == 1


def test_an_order_that_nobody_has_fails(demo):
    demo.endings[-1] = msgspec.structs.replace(demo.endings[-1], order_id=order_text(demo.order(77)))
    assert verdict(demo).figures["wrong_answers"] == 1


def test_a_cancel_that_was_accepted_and_sold_all_the_same_fails(demo):
    demo.endings[-1] = msgspec.structs.replace(demo.endings[-1], wish="cancel")
    assert verdict(demo).figures["wrong_answers"] == 1


def test_a_holder_who_pays_too_late_and_is_told_so_passes():
    judgement = verdict(SmallDemo(late=True))
    assert judgement.reasons == []
    assert (judgement.figures["sold"], judgement.figures["confirmed"]) == (2, 2)


@pytest.mark.parametrize(
    ("plant", "figure"),
    [
        (lambda book: book.append(book[0]._replace(intent="pi_again", attempt=2)), "double_charges"),
        (lambda book: book.pop(), "violations"),
        (lambda book: book.append(book[0]._replace(intent="pi_x", order="nobody")), "violations"),
    ],
    ids=["charged twice", "not charged", "charged for nothing"],
)
def test_money_that_does_not_fit_fails(demo, plant, figure):
    plant(demo.book)
    judgement = verdict(demo)
    assert judgement.figures[figure] > 0
    assert not judgement.passed


def test_an_order_without_an_end_is_stuck(demo):
    orders = {**demo.evidence().orders, "stuck": Fate("PAYMENT_PENDING", 1, 0, 0, 1)}
    judgement = verdict(demo, orders=orders)
    assert (judgement.figures["stuck_orders"], judgement.passed) == (1, False)


def test_a_forged_record_fails(demo):
    """A unit is sold twice: to 6, who was refused. Forged with all of the source: chain and totals are good."""

    def oversell(_: list, changes: list, totals: list) -> None:
        customer = customer_hash(KEYS.customer, "shopper-6")
        deadline_ms = demo.log.now_ms + 10_000
        changes[:] = [Granted(0, hold_id(demo.order(6)), SKU, customer, 1, 4_900, "EUR", deadline_ms, PRINT, b"")]

    src = find_src(demo, demo.order(6))
    forged = with_details(demo.log.ledger, find(demo.log, src), oversell, outcomes=bytes((Outcome.GRANTED,)))
    judgement = judge(demo.evidence(demo.source(forged)), KEYS)
    assert not judgement.passed
    assert judgement.figures["violations"] > 0
    assert judgement.figures["oversold"] == 1
    assert judgement.figures["wrong_answers"] == 1


def test_a_ledger_cut_short_fails(demo):
    judgement = judge(demo.evidence(demo.source(demo.log.ledger[:-2])), KEYS)
    assert not judgement.passed
    assert judgement.figures["undecided"] == 2


def find_src(demo: SmallDemo, order: bytes) -> int:
    """Where an order's first command stands."""
    for entry in demo.log.commands[1:]:
        if any(getattr(command, "hold", b"")[:16] == order for command in BATCHES.decode(entry.value).commands()):
            return entry.offset
    raise LookupError(order)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"exit": "exit 0"}, "not by SIGKILL"),
        ({"worker": "worker-2"}, "the hot partition's owner was"),
        ({"at_ms": 0}, "0% of the requests"),
        ({"at_ms": 9_999_999_999_999}, "no other worker claimed"),
    ],
)
def test_a_kill_that_did_not_happen_as_told_fails(demo, fields, reason):
    judgement = verdict(demo, kill=demo.kill._replace(**fields))
    assert not judgement.passed
    assert any(reason in one for one in judgement.reasons), judgement.reasons


def test_without_a_kill_none_is_asked_for(demo):
    judgement = verdict(demo, kill=None)
    assert judgement.passed
    assert judgement.figures["killed"] is None


def test_a_sale_that_sold_nothing_fails(demo):
    demo.endings.clear()
    fresh = SmallDemo()
    judgement = judge(demo.evidence()._replace(histories=[read(fresh.log.source(), 0)._replace(decisions=[])]), KEYS)
    assert "nothing was sold" in judgement.reasons


def test_the_longest_gap_counts_only_while_a_command_waits(demo):
    history = read(demo.log.source(), 0)
    assert longest_gap_s(history, 0) == pytest.approx(0.601)
    idle = SmallDemo()
    idle.log.now_ms += 60_000
    idle.buy(3, repeat=True)
    assert longest_gap_s(read(idle.log.source(), 0), 0) == pytest.approx(0.601)


def test_reasons_are_few_even_if_everything_is_wrong(demo):
    demo.answers = [Answer("x", f"key-{n}", SKU, False, 201, "{}", 1.0, 1) for n in range(500)]
    judgement = verdict(demo)
    assert judgement.figures["wrong_answers"] == 500
    assert len(judgement.reasons) <= 20
    assert OPTIONS.shoppers == judgement.figures["shoppers"]
