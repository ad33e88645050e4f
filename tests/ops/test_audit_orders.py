"""The auditor on orders: honest journeys are green; each broken promise is found by its name."""

from collections.abc import Callable
from typing import Any

import pytest

from domain import orders as o
from domain.ids import hold_id
from domain.order_changes import Begun, Stepped
from domain.outcomes import Outcome
from domain.payment import Operation, PayOutcome
from domain.roles import Role
from domain.stock import Commit, Release, Return
from ops.audit.journey import Records, Stored
from ops.audit.partition import Options
from ops.audit.report import Report
from ops.audit.source import Entry
from ops.audit.verify import audit
from ops.audit.violations import Kind
from streams.order_records import decode_details, encode_details
from streams.records import decode_decided, decode_ledger
from tests.ops.honest_log import ask, customer, find, order, with_decided
from tests.ops.honest_orders import PRICE, Shop, text

SOLD_ROW = Stored(text(1), "CONFIRMED", 5, PRICE, PRICE, 0, ((0, "shoe", 1, "s"),))


def journeys() -> Shop:
    """One sold, one given up, one that is paid for just now."""
    shop = Shop()
    shop.sell(1)
    shop.give_up(2)
    shop.born(3)
    return shop


def kinds(report: Report) -> list[Kind]:
    return [violation.kind for violation in report.violations]


def forge(shop: Shop, src: int, edit: Callable[[list[Any]], object], **fields: Any) -> list[Entry]:
    """The order ledger with other changes in the decision of `src`, its chain made good again."""
    at = find(shop.orders, src)
    details = decode_details(decode_decided(decode_ledger(shop.orders.ledger[at].value).body).details)
    changes = [change for run in details.changes for change in run.items]
    edit(changes)
    raw = encode_details(changes, replied=details.replied)
    return with_decided(shop.orders.ledger, at, details=raw, **fields)


def audited(shop: Shop, ledger: list[Entry]) -> list[Kind]:
    return kinds(audit(shop.source(orders=(ledger, None))))


def replaced(changes: list[Any], kind: type, **fields: Any) -> None:
    at = next(at for at, change in enumerate(changes) if type(change) is kind)
    core = (
        {name: fields.pop(name) for name in tuple(fields) if name in getattr(changes[at], "core", ())._fields}
        if (kind is Stepped)
        else {}
    )
    changes[at] = changes[at]._replace(**fields)
    if core:
        changes[at] = changes[at]._replace(core=changes[at].core._replace(**core))


# --- honest -----------------------------------------------------------------------------------------------------------


def test_honest_journeys_are_green_and_counted():
    shop = journeys()
    records = shop.records(
        SOLD_ROW,
        Stored(text(2), "CANCELLED", 5, PRICE, 0, 0, ((0, "shoe", 1, "x"),)),
        Stored(text(3), "PAYMENT_PENDING", 1, PRICE, 0, 0, ((0, "shoe", 1, "h"),)),
    )
    report = audit(shop.source(), options=Options(book=[shop.charge(1), shop.charge(2, 0)], records=records))
    assert report.violations == []
    assert report.orders.states == {"CANCELLED": 1, "CONFIRMED": 1, "PAYMENT_PENDING": 1}
    assert (report.orders.moving, report.orders.captured, report.orders.book_captured) == (1, PRICE, PRICE)
    assert len(report.order_partitions) == 1


def test_a_delivered_order_that_comes_back_is_green_until_its_end():
    shop = Shop()
    shop.sell(1)
    shop.both(o.Ship(order(1), o.ALL_LINES, 0), role=Role.OPS)
    shop.both(o.Deliver(order(1), o.ALL_LINES, 0), role=Role.OPS)
    key = b"backback"
    shop.both(o.TakeBack(order(1), key, o.ALL_LINES, 0, restock=True), role=Role.OPS)
    shop.settle(1, Return, "return", Outcome.RETURNED)
    shop.pay(1, Operation.REFUND, PayOutcome.REFUNDED, key=key.hex())
    report = audit(shop.source(), options=Options(book=[shop.charge(1, refunded=PRICE)]))
    assert report.violations == []
    assert report.orders.states == {"REFUNDED": 1}


def test_what_is_asked_again_and_what_only_is_told_is_green():
    shop = Shop()
    shop.sell(1)
    shop.born(2)
    shop.orders.do(role=Role.WORKER, later_ms=31_000)
    shop.both(o.Hint(order(2), 1, "pi_2", "evt_1", "payment_intent.succeeded"), role=Role.GATEWAY)
    shop.both(o.Hint(order(9), 1, "pi_9", "evt_2", "payment_intent.succeeded"), role=Role.GATEWAY)
    shop.both(o.OrphanClosed(order(9), 1, "pi_9", "voided", 0), role=Role.PAYMENT)
    shop.both(o.Cancel(order(3), bytes(8), customer(3)), role=Role.GATEWAY)
    report = audit(shop.source())
    assert report.violations == []
    assert shop.orders.accepted.src == 11


def test_a_refund_in_full_without_goods_leaves_the_sale_in_stock():
    shop = Shop()
    shop.sell(1)
    shop.both(o.Ship(order(1), o.ALL_LINES, 0), role=Role.OPS)
    key = b"goodwill"
    shop.both(o.Refund(order(1), key, PRICE, "scratched"), role=Role.OPS)
    shop.pay(1, Operation.REFUND, PayOutcome.REFUNDED, key=key.hex())
    report = audit(shop.source(), options=Options(book=[shop.charge(1, refunded=PRICE)]))
    assert report.violations == []
    assert report.orders.states == {"REFUNDED": 1}


def test_an_order_that_changed_after_stocks_end_was_taken_is_not_asked_for_its_stock():
    shop = Shop()
    shop.born(1)
    before = len(shop.stock.ledger), len(shop.stock.commands), len(shop.orders.ledger)
    shop.pay(1, Operation.AUTHORISE, PayOutcome.AUTHORISED)
    shop.settle(1, Commit, "commit", Outcome.COMMITTED)
    source = shop.source(stock=(shop.stock.ledger[: before[0]], shop.stock.commands[: before[1]]))
    assert kinds(audit(source)) == [Kind.UNSOLD]
    source.orders_before = lambda _: before[2]
    assert audit(source).ok


# --- against stock ----------------------------------------------------------------------------------------------------


def test_a_confirmed_order_whose_units_were_let_go_is_unsold():
    shop = journeys()
    shop.stock.do(Release(hold_id(order(1))), role=Role.OPS)
    assert kinds(audit(shop.source())) == [Kind.UNSOLD]


def test_a_sale_without_an_order_is_a_stray():
    shop = journeys()
    shop.stock.do(ask(7))
    assert audit(shop.source()).ok, "a hold whose order is about to be born"
    shop.stock.do(Commit(hold_id(order(7))), role=Role.OPS)
    assert kinds(audit(shop.source())) == [Kind.STRAY_HOLD]


def test_a_hold_of_an_order_that_is_over_is_a_stray():
    shop = Shop()
    shop.born(1)
    shop.both(o.Cancel(order(1), bytes(8), customer(1)), role=Role.GATEWAY)
    shop.pay(1, Operation.VOID, PayOutcome.VOIDED, 0)
    assert audit(shop.source()).ok, "it is asked for, and not yet released"
    shop.both(o.LineAnswered(order(1), 0, "release", Outcome.RELEASED), role=Role.RELAY)
    assert kinds(audit(shop.source())) == [Kind.STRAY_HOLD]


# --- against the book -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("book", "kind"),
    [
        (lambda shop: [shop.charge(2, 0)], Kind.UNPAID),
        (lambda shop: [shop.charge(1, PRICE - 1)], Kind.UNPAID),
        (lambda shop: [shop.charge(1), shop.charge(1)._replace(intent="pi_other", attempt=2)], Kind.DOUBLE_CHARGE),
        (lambda shop: [shop.charge(1), shop.charge(2)], Kind.STRAY_MONEY),
        (lambda shop: [shop.charge(1), shop.charge(2, 0, status="requires_capture")], Kind.STRAY_MONEY),
        (lambda shop: [shop.charge(1), shop.charge(9)], Kind.STRAY_MONEY),
    ],
    ids=["nothing captured", "too little", "two intents", "for a cancelled order", "left authorised", "for no order"],
)
def test_money_that_does_not_fit_the_order_is_found(book, kind):
    shop = journeys()
    assert kinds(audit(shop.source(), options=Options(book=book(shop))))[:1] == [kind]


def test_money_of_another_log_at_the_same_provider_is_not_looked_at():
    shop = journeys()
    others = shop.charge(9)._replace(environment="ff" * 16)
    report = audit(shop.source(), options=Options(book=[shop.charge(1), shop.charge(2, 0), others]))
    assert report.ok
    assert report.orders.book_captured == PRICE


# --- against SQL ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "PAID"},
        {"amount": PRICE + 1},
        {"captured": 0},
        {"refunded": 1},
        {"version": 4},
        {"lines": ((0, "shoe", 2, "s"),)},
        {"order": text(8)},
    ],
    ids=str,
)
def test_sql_that_says_something_else_is_found(wrong):
    shop = Shop()
    shop.sell(1)
    assert audit(shop.source(), options=Options(records=shop.records(SOLD_ROW))).ok
    report = audit(shop.source(), options=Options(records=shop.records(SOLD_ROW._replace(**wrong))))
    assert kinds(report) == [Kind.SQL]


def test_sql_is_not_asked_for_what_it_has_not_copied_yet():
    shop = Shop()
    shop.sell(1)
    assert audit(shop.source(), options=Options(records=Records({}, {0: find(shop.orders, 1) - 1}))).ok


# --- the order ledger itself ------------------------------------------------------------------------------------------

BORN, AUTHORISED, COMMITTED, CAPTURED, BOOKED = range(1, 6)


def test_a_line_that_was_sold_without_stocks_word_is_found():
    shop = journeys()
    ledger = forge(shop, AUTHORISED, lambda changes: replaced(changes, Stepped, letters="s"))
    assert audited(shop, ledger)[0] is Kind.REASON


def test_money_that_was_captured_without_the_providers_word_is_found():
    shop = journeys()
    ledger = forge(shop, COMMITTED, lambda changes: replaced(changes, Stepped, pay=o.Pay.CAPTURED, captured=PRICE))
    assert audited(shop, ledger)[0] is Kind.REASON


def test_a_confirmation_that_nobody_booked_is_found():
    shop = journeys()
    ledger = forge(
        shop,
        CAPTURED,
        lambda changes: replaced(changes, Stepped, passed=("CONFIRMED",), phase=o.Phase.CONFIRMED),
    )
    assert Kind.TRANSITION in audited(shop, ledger)


@pytest.mark.parametrize("passed", [("PAYMENT_PENDING",), ("CREATED", "PAID"), ("CREATED", "RESERVED", "CREATED")])
def test_a_state_that_is_skipped_or_gone_back_to_is_found(passed):
    shop = journeys()
    ledger = forge(shop, BORN, lambda changes: replaced(changes, Stepped, passed=passed, sequence=len(passed)))
    assert audited(shop, ledger)[0] is Kind.TRANSITION


def test_a_version_out_of_turn_is_found():
    shop = journeys()
    ledger = forge(shop, AUTHORISED, lambda changes: replaced(changes, Stepped, version=3))
    assert audited(shop, ledger)[0] is Kind.SEQUENCE


def test_more_captured_than_authorised_is_found():
    shop = journeys()
    ledger = forge(shop, CAPTURED, lambda changes: replaced(changes, Stepped, captured=PRICE + 1))
    assert audited(shop, ledger)[0] is Kind.MONEY


def test_an_order_that_is_begun_twice_is_found():
    shop = journeys()
    begun = []
    forge(shop, BORN, lambda changes: begun.extend(change for change in changes if type(change) is Begun))
    ledger = forge(shop, AUTHORISED, lambda changes: changes.insert(0, begun[0]))
    assert Kind.DOUBLE_GRANT in audited(shop, ledger)


def test_a_change_of_another_order_than_the_commands_is_found():
    shop = journeys()
    fields = {"order": order(1), "version": 6, "sequence": 5, "before": "CONFIRMED"}
    ledger = forge(shop, BOOKED + AUTHORISED, lambda changes: replaced(changes, Stepped, **fields))
    assert audited(shop, ledger)[0] is Kind.CHANGE


def test_an_order_that_expires_before_its_time_is_found():
    shop = Shop()
    shop.born(1, method="")
    shop.orders.do(role=Role.WORKER, later_ms=40_000)
    shop.orders.do(o.Method(order(1), customer(1), "pm_card_visa"), role=Role.GATEWAY, later_ms=20_000)
    assert audit(shop.source()).ok
    later = shop.orders.now_ms + 1
    early = forge(shop, BORN, lambda changes: replaced(changes, Stepped, deadline_ms=later))
    assert audited(shop, early) == [Kind.EARLY_EXPIRY]


def test_a_refusal_that_changed_something_is_found():
    shop = journeys()
    ledger = forge(shop, AUTHORISED, lambda _: None, outcomes=bytes((Outcome.UNCHANGED,)))
    assert audited(shop, ledger)[0] is Kind.OUTCOME


def test_who_may_not_send_a_command_must_not_be_heard():
    shop = Shop()
    shop.born(1)
    shop.both(o.Booked(order(1), 1), role=Role.GATEWAY)
    assert audit(shop.source()).ok
    ledger = forge(shop, 2, lambda _: None, outcomes=bytes((Outcome.UNCHANGED,)))
    assert audited(shop, ledger) == [Kind.FORBIDDEN]
