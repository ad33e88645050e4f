"""Each rule of the order fold is taken out by a patch, and something goes wrong that does not go wrong with it."""

from collections.abc import Callable

import pytest

from domain import order_delivering, order_moves, order_paying, order_starting, order_table, order_undo
from domain.order_events import Event
from domain.order_row import Order, letters
from domain.order_rules import OrderRules
from domain.order_step import ACCEPTED, accepted, noted
from domain.order_table import NONE, TABLE, Rule
from domain.orders import LineState, Pay, Phase
from domain.outcomes import InvariantViolatedError
from tests.domain.order_scenario import step
from tests.properties.commands import order as order_id
from tests.properties.order_partition import OrderPartition
from tests.properties.order_world import Machine
from tests.properties.test_order_interleavings import NO_LUCK, explore

BORN = "born o1 ann tee 1"
PLACED = "place o1 ann a:1@0,b:1@1"


class Story:
    """One order and what was asked for it so far."""

    def __init__(self, *texts: str, rules: OrderRules | None = None) -> None:
        self.partition = OrderPartition(rules)
        self.asks: list[str] = []
        self.answers: list[str] = []
        for text in texts:
            self.say(text)

    def say(self, text: str, after_ms: int = 0) -> "Story":
        answer, _, asks, _ = step(self.partition, after_ms, text)
        self.answers.append(answer)
        self.asks += [] if asks == "-" else asks.split(" ")
        return self

    @property
    def row(self):
        return self.partition.get(order_id("o1"))

    @property
    def phase(self):
        return self.row and self.row.phase


# --- what must not happen: each is False with all rules in force -------------------------------------------------


def money_is_taken_before_the_goods_are_sold():
    return "capture1=500" in Story(BORN, "authorised o1#1").asks


def a_key_pays_twice():
    return Story(BORN, "authorised o1#1", BORN).asks.count("authorise1") > 1


def a_late_answer_of_a_failed_attempt_sells():
    story = Story(BORN, "declined o1#1", "voided o1#1", "method o1 ann pm_2", "authorised o1#1")
    return "commit/0" in story.asks


def who_cancelled_is_charged():
    story = Story("cancel o1 ann", BORN)
    return story.answers[0] != "accepted" or "authorise1" in story.asks


def a_declined_card_is_charged_again_at_once():
    return "authorise2" in Story(BORN, "declined o1#1", "voided o1#1").asks


def two_attempts_are_open_at_once():
    return "authorise2" in Story(BORN, "method o1 ann pm_2", "declined o1#1").asks


def an_order_whose_money_is_there_expires():
    story = Story(BORN, "authorised o1#1").say("tick", 300_000)
    return story.phase is not Phase.PENDING


def an_order_never_ends():
    return Story(BORN).say("tick", 300_000).phase is Phase.PENDING


def an_order_outlives_its_hold():
    story = Story(f"{BORN} hold=4000")
    return story.phase is not None


def a_hold_of_a_key_used_again_is_held_for_nobody():
    return "release/0" not in Story(BORN, f"{BORN} at=78").asks


def a_stranger_cancels():
    return Story(BORN, "cancel o1 eve").phase is not Phase.PENDING


def a_stranger_cancels_before_birth():
    return Story("cancel o1 eve", BORN).phase is not Phase.PENDING


SHIPPED = (BORN, "authorised o1#1", "committed o1/0", "captured o1#1 500", "booked o1", "ship o1")


def a_parcel_and_its_money_both_leave():
    return Story(*SHIPPED, "cancel o1 ann").phase is Phase.UNDO


def a_refund_that_is_asked_for_twice_is_paid_twice():
    story = Story(*SHIPPED, "refund o1 k1 100", "refunded o1#1 k1", "refund o1 k1 100")
    return story.asks.count("refund1=100") > 1


def the_answer_to_one_refund_ends_another():
    story = Story(*SHIPPED, "refund o1 k1 100", "refunded o1#1 k1", "refund o1 k2 200", "refunded o1#1 k1")
    return story.row.pay is Pay.CAPTURED


def more_is_refunded_than_was_captured():
    return "refund1=501" in Story(*SHIPPED, "refund o1 k1 501").asks


def a_lost_request_is_lost():
    return "authorise1+" not in Story(BORN).say("tick", 30_000).asks


def bundles_can_block_each_other():
    return letters(Story(PLACED).row.lines) != "aw"


def what_was_only_asked_for_stays_held():
    return "release/1" not in Story(PLACED, "cancel o1 ann").asks


def an_order_ends_while_its_goods_are_held():
    story = Story(BORN, "cancel o1 ann", "voided o1#1")
    return not isinstance(story.row, Order)


def an_order_ends_while_its_money_is_held():
    story = Story(BORN, "cancel o1 ann", "released o1/0")
    return not isinstance(story.row, Order)


def money_of_an_unknown_order_is_kept():
    return "orphan1" not in Story("hint o1#1").asks


def cancels_before_birth_fill_the_memory():
    rules = OrderRules(early_per_customer=2)
    return Story("cancel o1 ann", "cancel o2 ann", "cancel o3 ann", rules=rules).answers[-1] == "accepted"


def some_interleaving_ends_badly(**luck: int) -> Callable[[], bool]:
    def ends_badly() -> bool:
        try:
            explore(Machine(), NO_LUCK._replace(**luck))
        except (AssertionError, InvariantViolatedError):
            return True
        return False

    return ends_badly


# --- the rules, taken out ------------------------------------------------------------------------------------------


def table(patch: pytest.MonkeyPatch, change: Callable[[Rule], list[Rule]]) -> None:
    """Another table, whose rows are what `change` makes of each."""
    changed = [rule for row in TABLE for rule in change(row)]
    patch.setattr(order_table, "BY_PHASE", order_table._indexed(changed))


def without(step) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: table(patch, lambda rule: [] if rule.step is step else [rule])


def instead(taken, /, **other) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: table(patch, lambda rule: [rule._replace(**other) if rule.step is taken else rule])


def capture_at_once(row, command, now):
    return noted(row._replace(pay=Pay.CAPTURING, lines=tuple(line._replace(state="s") for line in row.lines)))


def keep_the_deadline(row, command, now):
    paid = order_paying.authorised(row, command, now)
    return paid._replace(row=paid.row._replace(deadline_ms=row.deadline_ms))


def sweeps_everything(patch: pytest.MonkeyPatch) -> None:
    table(patch, lambda rule: [
        rule._replace(step=keep_the_deadline) if rule.step is order_paying.authorised
        else rule._replace(pay="") if rule.event is Event.DUE else rule
    ])  # fmt: skip


def next_attempt_at_once(row, command, now):
    return noted(order_starting.authorise(row, row.next_method or row.method))


def ask_all(lines):
    waiting = [line for line in lines if line.state is LineState.WAITING]
    return tuple(line._replace(state=LineState.RESERVING) for line in lines) if waiting else None


def born_whatever_there_is(patch: pytest.MonkeyPatch) -> None:
    everywhere = frozenset({NONE, *Phase})
    table(patch, lambda rule: [] if rule.event is Event.BORN and rule.step is not order_starting.born else [
        rule._replace(phases=everywhere) if rule.event is Event.BORN else rule
    ])  # fmt: skip


def bury_anyway(*_):
    return ACCEPTED._replace(bury=True)


def cancel_anyway(row, command, now):
    return accepted(order_undo.undo(row, Phase.CANCELLED, "cancelled"))


def cancels_everything(patch: pytest.MonkeyPatch) -> None:
    def change(rule: Rule) -> list[Rule]:
        if rule.step is not order_delivering.cancel:
            return [rule]
        return [rule._replace(phases=rule.phases | {Phase.SHIPPED}, step=cancel_anyway)]

    table(patch, change)


def anyone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(order_delivering, "theirs", lambda known, customer: True)


def nothing_is_waited_for(name: str, states: type) -> Callable[[pytest.MonkeyPatch], None]:
    def take_out(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(order_undo, name, frozenset(states))
        for module in ("domain.order_evolve", "tables.orders"):  # they would stop the partition
            patch.setattr(f"{module}.sound", lambda *_: True)

    return take_out


TAKEN_OUT = {
    "capture after the last commit": (
        money_is_taken_before_the_goods_are_sold, instead(order_paying.authorised, step=capture_at_once)),
    "dedupe of births": (a_key_pays_twice, born_whatever_there_is),
    "an answer is about its attempt": (
        a_late_answer_of_a_failed_attempt_sells,
        lambda patch: patch.setattr(order_table, "OF_ATTEMPT", frozenset())),
    "cancel before birth": (who_cancelled_is_charged, without(order_starting.born_cancelled)),
    "cancel before birth is no 404": (
        who_cancelled_is_charged, instead(order_starting.cancel_early, step=order_delivering.wish_for_nothing)),
    "another attempt needs another method": (
        a_declined_card_is_charged_again_at_once, instead(order_paying.voided_attempt, step=next_attempt_at_once)),
    "a failed attempt is void before the next": (
        two_attempts_are_open_at_once, instead(order_paying.declined, step=next_attempt_at_once)),
    "no deadline once the money is there": (an_order_whose_money_is_there_expires, sweeps_everything),
    "deadlines": (an_order_never_ends, lambda patch: patch.setattr("tables.orders.sweep", lambda state: None)),
    "no birth near the hold's end": (an_order_outlives_its_hold, instead(order_starting.born, when=None)),
    "a key stands for one content": (
        a_hold_of_a_key_used_again_is_held_for_nobody, without(order_starting.born_otherwise)),
    "only the customer cancels": (a_stranger_cancels, anyone),
    "a stranger's early cancel is none": (
        a_stranger_cancels_before_birth, instead(order_starting.born_cancelled, when=None)),
    "no cancel after shipping": (a_parcel_and_its_money_both_leave, cancels_everything),
    "a refund's key is remembered": (
        a_refund_that_is_asked_for_twice_is_paid_twice,
        lambda patch: table(patch, lambda rule: [] if rule.when in {
            order_moves.seen_move, order_moves.seen_otherwise} else [rule])),
    "a refund is answered by its key": (
        the_answer_to_one_refund_ends_another, instead(order_delivering.refunded, when=None)),
    "resume": (a_lost_request_is_lost, lambda patch: patch.setattr("tables.orders.resume", lambda state: None)),
    "one partition after another": (
        bundles_can_block_each_other, lambda patch: patch.setattr(order_starting, "_ask_next", ask_all)),
    "what was asked for is released": (
        what_was_only_asked_for_stays_held,
        lambda patch: patch.setitem(order_undo._LINE_BACK, LineState.RESERVING, LineState.CLOSED)),
    "an end waits for the goods": (
        an_order_ends_while_its_goods_are_held, nothing_is_waited_for("_LINE_OVER", LineState)),
    "an end waits for the money": (
        an_order_ends_while_its_money_is_held, nothing_is_waited_for("_PAY_OVER", Pay)),
    "orphans": (money_of_an_unknown_order_is_kept, without(order_delivering.orphan)),
    "early cancels are bounded": (
        cancels_before_birth_fill_the_memory, instead(order_starting.cancel_early, step=bury_anyway)),
    "a void that came too late is a refund": (
        some_interleaving_ends_badly(cancels=1, losses=1), without(order_paying.captured_late)),
    "a capture that failed is undone": (some_interleaving_ends_badly(failures=1), without(order_paying.capture_failed)),
    "a hold that is gone undoes the order": (
        some_interleaving_ends_badly(expiries=1, rivals=1), without(order_paying.gone)),
    "authorised money is voided": (
        some_interleaving_ends_badly(cancels=1),
        lambda patch: patch.setitem(order_undo._PAY_BACK, Pay.AUTHORISED, Pay.CLOSED)),
    "captured money is refunded": (
        some_interleaving_ends_badly(cancels=1),
        lambda patch: patch.setitem(order_undo._PAY_BACK, Pay.CAPTURED, Pay.CLOSED)),
    "sold goods are released": (
        some_interleaving_ends_badly(cancels=1),
        lambda patch: patch.setitem(order_undo._LINE_BACK, LineState.SOLD, LineState.CLOSED)),
}  # fmt: skip


@pytest.mark.parametrize("rule", TAKEN_OUT)
def test_without_the_rule_something_goes_wrong(rule, monkeypatch):
    goes_wrong, take_out = TAKEN_OUT[rule]
    assert not goes_wrong()
    take_out(monkeypatch)
    assert goes_wrong()


def test_no_more_is_refunded_than_was_captured():
    assert not more_is_refunded_than_was_captured()
