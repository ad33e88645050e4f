"""The auditor's own test: a real log is green; corrupt it in one way, and that is what it finds, and where."""

import pytest

from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.roles import Role
from domain.stock import Refused
from ops.audit.partition import Options
from ops.audit.verify import audit
from ops.audit.violations import Kind
from streams.records import DECIDED, RULING, decode_ledger
from tests.ops import log_corruptions, stock_corruptions
from tests.ops.corruption import CASES, FIRST, OPENED, clk_of, edit, grant, move, one_batch, sale
from tests.ops.honest_log import PRINT, HonestLog, ask, find, order, rechain, with_details, with_record

CORRUPTIONS = (log_corruptions, stock_corruptions)
"""Importing them fills CASES."""


def test_the_honest_log_is_green():
    log = sale()
    report = audit(log.source(), options=Options(keep=True, replay=True))
    assert report.violations == []
    assert report.ok
    assert report.undecided == 2


@pytest.mark.parametrize(("corrupt", "kind", "src"), CASES)
def test_a_corruption_is_found_for_what_it_is(corrupt, kind, src):
    ledger, commands = corrupt(sale())
    report = audit(HonestLog().source(ledger, commands))
    assert report.violations, "nothing was found"
    first = report.violations[0]
    assert first.kind is kind, report.violations[:3]
    if src is not None:
        assert first.src == src
    assert not report.ok


def test_a_later_grant_than_an_eligible_refused_one_breaks_first_come_first_served():
    own = one_batch(Role.GATEWAY, ask(1), ask(2))

    def change(_, changes, totals):
        changes[0] = Refused(0, hold_id(order(1)), Outcome.SOLD_OUT, PRINT)
        move(totals, available=1, held=-1)

    ledger = with_details(own.ledger, find(own, 2), change, outcomes=bytes((Outcome.SOLD_OUT, Outcome.GRANTED)))
    report = audit(own.source(ledger))
    assert [violation.kind for violation in report.violations] == [Kind.UNDERSELL, Kind.FIFO]
    assert report.violations[1].index == 1


def test_first_come_first_served_holds_inside_a_record_too():
    """One unit, two requests of one batch: decided in the wrong order, whatever the order of the answers."""
    own = HonestLog()
    own.claim("w1")
    own.open_sale(units=1)
    own.do(ask(1), ask(2))

    def change(_, changes, __):
        changes[:] = [
            grant(1, 2, 2, clk=clk_of(own, 2)),
            Refused(0, hold_id(order(1)), Outcome.ALL_HELD, PRINT),
        ]

    ledger = with_details(own.ledger, find(own, 2), change, outcomes=bytes((Outcome.ALL_HELD, Outcome.GRANTED)))
    kinds = [violation.kind for violation in audit(own.source(ledger)).violations]
    assert kinds == [Kind.UNDERSELL, Kind.FIFO, Kind.CHANGE]


def test_a_cut_off_tail_is_found_by_a_known_head():
    log = sale()
    report = audit(log.source())
    (head,) = report.partitions
    anchors = {0: (head.offset, head.digest)}
    assert audit(log.source(), options=Options(anchors=anchors)).ok
    cut = audit(log.source(log.ledger[:-2]), options=Options(anchors=anchors))
    assert cut.violations[0].kind is Kind.ANCHOR
    other = audit(log.source(), options=Options(anchors={0: (head.offset - 3, head.digest)}))
    assert other.violations[0].kind is Kind.ANCHOR


def test_every_flipped_bit_of_a_decision_is_found_but_in_its_watermark():
    """The watermark (8 bytes of the header) is no part of the chain: only what it may be is checked."""
    log = sale()
    at = find(log, FIRST)
    value = log.ledger[at].value
    watermark = range(1 + 1 + 4 + 8, 1 + 1 + 4 + 8 + 8)
    missed = []
    for byte in range(len(value)):
        for bit in (0, 3, 7):
            flipped = bytearray(value)
            flipped[byte] ^= 1 << bit
            ledger = list(log.ledger)
            ledger[at] = ledger[at]._replace(value=bytes(flipped))
            if audit(log.source(ledger)).ok and byte not in watermark:
                missed.append((byte, bit))
    assert missed == []


def test_after_a_broken_record_the_rest_of_its_epoch_is_not_reported_again():
    log = sale()
    ledger, commands = log_corruptions.a_bit_is_flipped(log)
    report = audit(log.source(ledger, commands))
    assert report.violations[0].kind is Kind.CHAIN
    (figures,) = report.partitions
    assert figures.unaccepted == 3 + 2 + 1  # epochs 2 and 3 begin with a src out of turn each
    assert figures.src == OPENED


def test_a_replay_finds_what_the_present_code_would_decide_otherwise():
    log = sale()

    def change(_, changes, __):
        changes[0] = changes[0]._replace(unit_price=100)

    ledger, commands = edit(log, FIRST, change)
    report = audit(log.source(ledger, commands), options=Options(replay=True))
    assert report.counts[Kind.REPLAY] == 1
    assert audit(log.source(), options=Options(replay=True)).ok


def test_the_kind_byte_of_every_record_counts():
    log = sale()
    for at in range(1, len(log.ledger)):
        record = decode_ledger(log.ledger[at].value)
        other = RULING if record.kind == DECIDED else DECIDED
        assert not audit(log.source(rechain(with_record(log.ledger, at, kind=other)))).ok
