"""A real sale in a log, and how to say what is corrupted in it."""

from collections.abc import Callable
from functools import cache

import pytest

from domain.ids import hold_id
from domain.roles import Role
from domain.stock import Adjust, Commit, Extend, Granted, Release, Return
from ops.audit.source import Entry
from ops.audit.violations import Kind
from streams.protocol import Tick
from streams.records import decode_decided, decode_ledger
from tests.ops.honest_log import PRINT, START_MS, HonestLog, ask, customer, find, order, with_details

Entries = list[Entry]
LATE_MS = START_MS + 200_000

OPENED, FIRST, SETTLED, SECOND, YIELDED, RESTOCKED, THIRD, EXPIRED, LAST, RETURNED = range(1, 11)
"""The commands records of the sale by src."""


@cache
def sale() -> HonestLog:
    """Three units for five buyers, a planned hand-over, a restock, holds that expire, a take-over; two records wait."""
    log = HonestLog()
    log.claim("w1")
    log.open_sale(units=3)
    log.do(ask(1), ask(2), ask(3), ask(4), ask(1))
    log.do(Commit(hold_id(order(1)), customer(1)), Release(hold_id(order(2)), customer(2)), role=Role.ORDER)
    log.do(ask(4), ask(5), ask(6))
    log.hand_over("w2")
    log.do(Adjust("shoe", 2, "restock", ""), Extend(hold_id(order(3)), log.now_ms + 70_000), role=Role.OPS)
    log.do(ask(7, who=1, quantity=2), ask(8), Commit(hold_id(order(3)), customer(9)), role=Role.ORDER)
    log.do(Tick(), later_ms=61_000)
    log.claim("w3")
    late = [ask(9, not_after_ms=LATE_MS), ask(10, not_after_ms=LATE_MS)]
    log.do(*late, Release(hold_id(order(9)), customer(9)), role=Role.ORDER)
    log.do(Return(hold_id(order(1)), 1, 1, restock=True), role=Role.OPS)
    log.send(ask(11, not_after_ms=LATE_MS))
    log.send(Tick())
    return log


CASES: list = []
Edit = Callable[[list, list, list], object]
"""Gets a decision's repeats, changes and totals."""
Corruption = Callable[[HonestLog], tuple[Entries, Entries]]


def corruption(kind: Kind, src: int | None = None) -> Callable[[Corruption], Corruption]:
    """`src`: of the commands record whose decision is to blame; None: the test does not say."""

    def register(function: Corruption) -> Corruption:
        CASES.append(pytest.param(function, kind, src, id=function.__name__))
        return function

    return register


def ledger_only(log: HonestLog, ledger: Entries) -> tuple[Entries, Entries]:
    return ledger, log.commands


def edit(log: HonestLog, src: int, change: Edit, **fields: object) -> tuple[Entries, Entries]:
    """Change what the decision of a commands record says, and make the chain good again."""
    return ledger_only(log, with_details(log.ledger, find(log, src), change, **fields))


def outcomes_of(log: HonestLog, src: int) -> bytearray:
    return bytearray(decode_decided(decode_ledger(log.ledger[find(log, src)].value).body).outcomes)


def answer(log: HonestLog, src: int, index: int, outcome: int) -> bytes:
    outcomes = outcomes_of(log, src)
    outcomes[index] = outcome
    return bytes(outcomes)


def grant(index: int, number: int, who: int, price: int = 4_900, quantity: int = 1, clk: int = 0) -> Granted:
    return Granted(
        index, hold_id(order(number)), "shoe", customer(who), quantity, price, "EUR", clk + 60_000, PRINT, b""
    )


def clk_of(log: HonestLog, src: int) -> int:
    return decode_decided(decode_ledger(log.ledger[find(log, src)].value).body).clk


def place(changes: list, kind: type, index: int) -> int:
    return next(at for at, change in enumerate(changes) if type(change) is kind and change.index == index)


def move(totals: list, **by: int) -> None:
    """Counters of the record's one total, moved."""
    (total,) = totals
    totals[:] = [total._replace(**{name: getattr(total, name) + value for name, value in by.items()})]


def one_batch(role: Role, *commands: object) -> HonestLog:
    own = HonestLog()
    own.claim("w1")
    own.open_sale(units=3)
    own.do(*commands, role=role)
    return own
