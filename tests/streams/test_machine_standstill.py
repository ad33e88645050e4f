"""A standby that stands still for a snapshot: it misses nothing, calls nobody silent, and no takeover waits for it."""

import pytest

from streams.effects import AppendCommand, Look, ReadLedger, Role, SeekLedger
from streams.protocol import Yield
from streams.records import CLAIM, DIGEST_BYTES, NONCE_BYTES, Claim, LedgerRecord, encode_body, encode_ledger
from tests.streams.hand import START_MS, Hand, Logs

T_MS = 500


class Pair:
    """An owner, and a standby that has folded all that there is."""

    def __init__(self) -> None:
        self.logs = Logs()
        self.logs.open_sale(units=100, limit=100)
        self.owner = Hand(self.logs, "w1").warm().own()
        self.owner.run()
        self.standby = Hand(self.logs, "w2", takeover_ms=T_MS).warm()
        self.buyers = 0
        self.hear()

    def hear(self) -> None:
        self.standby.read()
        self.standby.hear()

    def work(self, length_ms: int, every_ms: int = 100) -> None:
        """The owner decides a request at a time; the standby's readers bring all of it."""
        for _ in range(length_ms // every_ms):
            self.buyers += 1
            self.logs.reserve(self.buyers)
            self.standby.wait(every_ms)
            self.owner.clock()
            self.owner.run()
            self.hear()

    def still(self) -> "Pair":
        assert self.standby.machine.standstill.begin()
        self.standby.forget()
        return self


@pytest.fixture
def pair() -> Pair:
    return Pair()


def test_it_folds_nothing_and_then_goes_on_where_it_stood(pair):
    before = pair.standby.machine.ledger_next
    pair.still().work(1_000)
    assert pair.standby.machine.ledger_next == before < len(pair.logs.ledger)
    pair.standby.machine.standstill.end()
    assert pair.standby.pull(SeekLedger) == [SeekLedger(before)]
    pair.hear()
    assert pair.standby.machine.accepted.src == pair.owner.machine.accepted.src
    assert pair.standby.machine.standstill.begin()


def test_it_is_no_reader_that_hangs_as_long_as_it_overhears(pair):
    standstill = pair.still().standby.machine.standstill
    pair.work(1_000)
    assert standstill.read_to == len(pair.logs.ledger)
    pair.owner.run()
    pair.logs.reserve(99)
    pair.owner.clock()
    pair.owner.run()
    assert standstill.read_to < len(pair.logs.ledger)
    standstill.end()
    assert standstill.read_to == pair.standby.machine.ledger_next < len(pair.logs.ledger)


def test_an_owner_that_decides_is_not_silent_though_nothing_is_folded(pair):
    pair.still().work(5_000)
    assert pair.standby.machine.standstill.on
    assert not pair.standby.pull(Look)
    assert not pair.standby.pull(ReadLedger)


def test_an_owner_behind_whom_commands_always_wait_is_not_silent(pair):
    pair.still()
    for number in range(200, 240):
        pair.logs.reserve(number)
        pair.standby.hear()
        pair.standby.wait(100)
        pair.owner.clock()
        pair.owner.hear()
        if number > 200 and (append := pair.owner.machine.decide()):
            pair.owner.land(append)
            pair.owner.publish()
        pair.hear()
    assert pair.standby.machine.standstill.on
    assert not pair.standby.pull(Look)


def test_an_owner_that_has_nothing_to_decide_is_not_silent_either(pair):
    pair.still().work(1_000)
    pair.owner.wait(1_000)
    pair.owner.send_commands()  # the tick that records the watermark
    pair.owner.run()
    pair.hear()
    pair.standby.wait(4_000)
    assert pair.standby.machine.standstill.on


def test_a_silent_owner_ends_it_and_is_taken_over_as_soon_as_without(pair):
    pair.still().work(1_000)
    pair.logs.reserve(98)
    pair.standby.hear()
    fell_silent_ms = pair.logs.ms
    assert pair.standby.wait_for(SeekLedger, 2 * T_MS) >= T_MS
    assert not pair.standby.machine.standstill.on
    pair.standby.wait(50)
    assert not pair.standby.pull(Look)  # what was overheard is to be folded first
    pair.hear()
    pair.standby.wait(25)
    pair.standby.look()
    pair.standby.claim()
    assert pair.standby.machine.role is Role.OWNER
    assert pair.logs.ms - fell_silent_ms <= 1.5 * T_MS + 125


def test_a_stale_owner_does_not_keep_it_from_being_ended(pair):
    zombie = pair.owner
    pair.hear()
    claim = Claim("w3", "w3@1", "code", waiting=False, reason="test")
    header = LedgerRecord(CLAIM, 2, b"n" * NONCE_BYTES, 0, bytes(DIGEST_BYTES), encode_body(claim))
    pair.logs.append(encode_ledger(header))
    pair.hear()
    pair.still()
    pair.logs.reserve(98)
    zombie.hear()
    (stale,) = zombie.decide()
    pair.standby.hear()
    for _ in range(20):
        pair.logs.append(stale.value)
        pair.standby.wait(100)
        pair.hear()
    assert not pair.standby.machine.standstill.on


def test_a_claim_ends_it_at_once(pair):
    pair.still()
    Hand(pair.logs, "w3").warm().own()
    pair.hear()
    assert not pair.standby.machine.standstill.on


def test_a_yield_ends_it_at_once(pair):
    pair.still()
    pair.logs.command(Yield("w2", 1, START_MS + pair.logs.ms + 5_000))
    pair.owner.run()
    pair.hear()
    assert not pair.standby.machine.standstill.on
    pair.hear()
    assert pair.standby.machine.accepted.yielded_to == "w2"


def test_facts_that_nobody_publishes_end_it(pair):
    pair.still()
    pair.logs.reserve(98)
    pair.owner.hear()
    (append,) = pair.owner.decide()
    pair.owner.land(append)
    pair.hear()
    pair.standby.wait(1_900)
    assert pair.standby.machine.standstill.on
    pair.standby.wait(T_MS)
    assert not pair.standby.machine.standstill.on


def test_no_tick_and_no_yield_is_asked_for_meanwhile(pair):
    pair.standby.machine.on_plan(assigned=True, members=frozenset({"w1@1", "w2@1"}))
    pair.still().work(20_000, every_ms=400)
    assert pair.standby.machine.standstill.on
    assert not pair.standby.pull(AppendCommand)


def test_it_does_not_begin_while_there_is_something_better_to_do(pair):
    assert not pair.owner.machine.standstill.begin()
    assert not Hand(pair.logs, "w3").machine.standstill.begin()
    pair.logs.reserve(98)
    pair.standby.hear()
    pair.standby.wait(2 * T_MS)
    assert pair.standby.pull(Look)
    assert not pair.standby.machine.standstill.begin()


def test_it_does_not_begin_before_all_is_folded_that_was_overheard(pair):
    pair.still().work(300)
    pair.standby.machine.standstill.end()
    assert not pair.standby.machine.standstill.begin()
    pair.hear()
    assert pair.standby.machine.standstill.begin()


def test_who_just_yielded_does_not_know_its_last_record_and_waits_for_the_next(pair):
    pair.logs.command(Yield("", 1, START_MS + pair.logs.ms + 5_000))
    pair.owner.run()
    assert pair.owner.machine.role is Role.WARM
    assert not pair.owner.machine.standstill.begin()


def test_it_claims_nothing_meanwhile(pair):
    pair.still().standby.machine.claim("test")
    assert pair.standby.machine.claiming is None


def test_a_record_that_cannot_be_read_is_left_for_later(pair):
    pair.still()
    offset = pair.logs.append(b"what")
    pair.hear()
    assert pair.standby.machine.standstill.on
    assert pair.standby.machine.ledger_next <= offset
