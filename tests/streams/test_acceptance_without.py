"""What R2 to R6 are there for: each taken out by a subclass, and what goes wrong then.

R1, R4 and the chain are taken out in tests/simulation.
"""

from typing import NamedTuple
from unittest.mock import patch

import pytest

import streams.machine
from streams.acceptance import Acceptance, Lawful, Verdict
from streams.effects import Alarm, Role
from streams.records import Decided, LedgerRecord, decode_decided, decode_ledger, digest, encode_body, encode_ledger
from streams.stock_records import decode_details, encode_details
from tables.stock import StockFold
from tests.streams.hand import Hand, Logs


class NoDuplicates(Acceptance):
    """Without R2."""

    __slots__ = ()

    def judge_decision(self, record: LedgerRecord, decided: Decided, lawful: Lawful) -> Verdict:
        if decided.src <= self.src:
            return self._judge_stale(record) or Verdict.BROKEN
        return super().judge_decision(record, decided, lawful)


class AheadWelcome(Acceptance):
    """Without R5: an epoch that nobody has claimed is as good as the current one."""

    __slots__ = ()

    def _judge_stale(self, record: LedgerRecord) -> Verdict | None:
        return None if record.epoch > self.epoch else super()._judge_stale(record)


class BrokenWelcome(Acceptance):
    """Without R6: a broken record of the owner moves the head."""

    __slots__ = ()

    def judge_decision(self, record: LedgerRecord, decided: Decided, lawful: Lawful) -> Verdict:
        verdict = super().judge_decision(record, decided, lawful)
        if verdict is not Verdict.BROKEN:
            return verdict
        self.advance(record, decided)
        return Verdict.ACCEPTED


class Sale(NamedTuple):
    """An owner with one decision sent that has not landed."""

    logs: Logs
    owner: Hand
    value: bytes

    def follower(self, rules: type[Acceptance] = Acceptance) -> Hand:
        """A reader from the beginning, by these rules."""
        with patch.object(streams.machine, "Acceptance", rules):
            hand = Hand(self.logs, "w2", seed=2)
            hand.machine.start()
            hand.read()
        return hand


@pytest.fixture
def sale() -> Sale:
    logs = Logs()
    logs.open_sale()
    owner = Hand(logs).warm().own()
    owner.run()
    logs.reserve(1)
    owner.hear()
    (append,) = owner.decide()
    return Sale(logs, owner, append.value)


def changed(sale: Sale, **header: object) -> LedgerRecord:
    """The decision on its way with another header, chained as it should be."""
    record = decode_ledger(sale.value)._replace(**header)
    return record._replace(digest=digest(sale.owner.machine.accepted.digest, record.body))


def with_body(sale: Sale, decided: Decided) -> bytes:
    return encode_ledger(changed(sale, body=encode_body(decided)))


def the_decision(sale: Sale) -> Decided:
    return decode_decided(decode_ledger(sale.value).body)


def actions(hand: Hand) -> list[str]:
    return [alarm.action for alarm in hand.pull(Alarm)]


def test_without_r2_a_harmless_repetition_raises_the_alarm_of_a_broken_owner(sale):
    sale.logs.append(sale.value)
    sale.logs.append(sale.value)
    assert actions(sale.follower()) == []
    assert actions(sale.follower(NoDuplicates)) == ["ledger.broken"]


def test_without_the_folds_part_of_r3_one_unsound_record_stops_every_reader(sale):
    decided = the_decision(sale)
    details = decode_details(decided.details)
    totals = [total._replace(held=total.held + 1) for total in details.totals]
    changes = [change for run in details.changes for change in run.items]
    unsound = decided._replace(details=encode_details(details.repeats, changes, totals))
    sale.logs.append(with_body(sale, unsound))
    sale.logs.append(sale.value)

    careful = sale.follower()
    assert careful.machine.role is Role.COLD
    assert actions(careful) == ["ledger.broken"]
    assert careful.machine.accepted.src == decided.src

    with patch.object(StockFold, "lawful", lambda *_, **__: True):
        careless = sale.follower()
    assert careless.machine.role is Role.STOPPED


def test_without_r5_somebody_decides_who_never_claimed(sale):
    sale.logs.append(encode_ledger(changed(sale, epoch=2, nonce=b"stranger")))
    src = the_decision(sale).src
    assert sale.follower().machine.accepted.src == src - 1
    assert sale.follower(AheadWelcome).machine.accepted.src == src


def test_without_r6_a_command_is_never_decided(sale):
    decided = the_decision(sale)
    skipping = with_body(sale, decided._replace(src=decided.src + 1))
    sale.logs.append(skipping)
    sale.logs.append(sale.value)

    careful = sale.follower()
    assert careful.machine.accepted.src == decided.src
    assert careful.machine.counts["broken"] == 1

    careless = sale.follower(BrokenWelcome)
    assert careless.machine.accepted.src == decided.src + 1
    assert careless.machine.counts["duplicate"] == 1
