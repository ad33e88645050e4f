"""Who owns what, as the end of a ledger shows it."""

from domain.roles import Role
from ops.audit.source import Entry
from ops.survey import Seen, summarise
from streams.protocol import Pin, Tick, Yield
from streams.records import CLAIM, decode_ledger
from tests.ops.honest_log import HonestLog, ask, claim_value


def state(log: HonestLog, start: int = 0, ledger: list[Entry] | None = None):
    entries = log.ledger if ledger is None else ledger
    seen = [Seen(entry.timestamp_ms, decode_ledger(entry.value)) for entry in entries[start:]]
    return summarise(0, seen, len(log.commands), len(entries))


def owner(log: HonestLog, start: int = 0) -> str | None:
    found = state(log, start)
    return found.claim.worker if found.claim and found.is_owned else None


def test_a_new_log_is_nobodys():
    found = state(HonestLog())
    assert (found.claim, found.epoch, found.src, found.lag, found.is_owned) == (None, 0, 0, 0, False)


def test_who_claimed_owns_also_before_its_first_decision():
    log = HonestLog()
    log.claim("w1")
    assert owner(log) == "w1"


def test_lag_counts_what_is_not_decided():
    log = HonestLog()
    log.claim("w1")
    log.open_sale()
    log.send(ask(1))
    log.send(ask(2))
    assert state(log).lag == 2
    assert state(log).src == 1
    assert state(log).at_ms == log.ledger[-1].timestamp_ms


def test_the_later_claim_owns():
    log = HonestLog()
    log.claim("w1")
    log.open_sale()
    log.claim("w2")
    assert owner(log) == "w2"
    assert state(log).epoch == 2


def test_a_claim_that_lost_does_not_own():
    log = HonestLog()
    log.claim("w1")
    log.append(claim_value(1, b"12345678", "late"))
    log.open_sale()
    assert owner(log) == "w1"
    assert owner(log, start=2) is None, "the winner's claim is not among the records read"


def test_a_zombie_s_decisions_do_not_make_it_the_owner():
    log = HonestLog()
    log.claim("w1")
    log.open_sale()
    zombie = log.zombie()
    log.claim("w2")
    log.send(ask(1))
    zombie.decide()
    assert owner(log) == "w2"
    assert state(log).lag == 1


def test_after_a_yield_nobody_owns_until_the_next_claim():
    log = HonestLog()
    log.claim("w1")
    log.do(Yield("w2", 1, log.now_ms + 5_000), role=Role.WORKER)
    assert owner(log) is None
    assert state(log).yielded_to == "w2"
    log.claim("w2")
    assert owner(log) == "w2"


def test_pins_and_ticks_change_no_owner():
    log = HonestLog()
    log.claim("w1")
    log.do(Pin("w9"), Tick(), role=Role.OPS)
    assert owner(log) == "w1"


def test_a_window_without_the_claim_knows_the_epoch_but_not_the_owner():
    log = HonestLog()
    log.claim("w1")
    log.open_sale()
    log.do(ask(1))
    found = state(log, start=len(log.ledger) - 1)
    assert (found.claim, found.epoch, found.src) == (None, 1, 2)
    assert decode_ledger(log.ledger[1].value).kind == CLAIM
