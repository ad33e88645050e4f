"""What a machine refuses to do, step by step: limits of an owner (W3, W5, W7), and logs that do not fit (W1, W10)."""

from random import Random

import pytest

from domain.roles import Role as Sender
from streams import tenure
from streams.effects import Alarm, Append, AppendClaim, Exit, Look, Publish, Role, Seen
from streams.machine import Member, PartitionMachine
from streams.protocol import Tick
from streams.records import (
    CLAIM,
    DIGEST_BYTES,
    NONCE_BYTES,
    Genesis,
    LedgerRecord,
    decode_ledger,
    encode_body,
    encode_genesis,
    encode_ledger,
    encode_ledger_genesis,
)
from streams.stock_records import BATCHES
from streams.vigil import ACK_MAX_MS, LOOK_FRESH_MS, OWNER_LOOKS_EVERY_MS
from tables.stock import StockFold

LOG_ID = b"L" * 16
WALL_MS = 1_700_000_000_000
COMMANDS_GENESIS = (WALL_MS, encode_genesis(Genesis(LOG_ID, 1, 0, b"")))
ME = Member("w1", "w1@1", "code")


def ledger_genesis() -> bytes:
    return encode_ledger_genesis(Genesis(LOG_ID, 1, 0), *COMMANDS_GENESIS)


def tick(number: int) -> bytes:
    return BATCHES.encode(LOG_ID, Sender.WORKER, "w1", number, [Tick()])


class Partition:
    """A machine with a broker of two lists, and a clock that stands unless told."""

    def __init__(self) -> None:
        self.machine = PartitionMachine(StockFold(), 0, ME, Random(1), log_id=LOG_ID)
        self.ledger_end = 1
        self.effects: list[object] = []
        self.machine.start()
        self.at(0)
        self.machine.on_ledger(0, WALL_MS, ledger_genesis())
        self.machine.on_caught_up(1)

    def at(self, now_ms: int) -> None:
        """Own time passes, in steps of a clock that is never late."""
        for step in range(self.machine.now_ms, now_ms + 1, 25):
            self.machine.on_clock(step, WALL_MS + step)

    def asked(self, kind: type) -> list:
        self.effects += self.machine.take()
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def own(self) -> None:
        self.machine.claim("test")
        (claim,) = self.asked(AppendClaim)
        self.machine.on_claim_appended(claim.nonce, self.ledger_end)
        self.ledger_end += 1
        assert self.machine.role is Role.OWNER

    def command(self, offset: int, stamped_ms: int = WALL_MS) -> None:
        self.machine.submit(offset, stamped_ms, tick(offset))

    def ack(self, decision: Append) -> None:
        self.machine.on_appended(decision.token, self.ledger_end)
        self.ledger_end += 1

    def look(self, **seen: object) -> None:
        """Let the machine look, and answer with what is right but for `seen`."""
        self.at(self.machine.now_ms + OWNER_LOOKS_EVERY_MS + 25)
        token = self.asked(Look)[-1].token
        right = {"ledger_end": self.ledger_end, "commands_start": 0, "commands_end": 1, "genesis": COMMANDS_GENESIS}
        self.machine.on_seen(Seen(token, **{**right, "at_src": COMMANDS_GENESIS, **seen}))


@pytest.fixture
def partition() -> Partition:
    return Partition()


@pytest.fixture
def owner(partition) -> Partition:
    partition.own()
    return partition


def test_w2_commands_are_decided_in_order_and_a_gap_is_waited_for(owner):
    owner.command(2)
    assert owner.machine.decide() is None
    for offset in (1, 2, 2, 1):
        owner.command(offset)
    decisions = [owner.machine.decide(), owner.machine.decide(), owner.machine.decide()]
    assert decisions[2] is None
    assert owner.machine.next_command == 3


def test_w3_no_more_than_the_window_is_unacked(owner):
    for offset in range(1, tenure.WINDOW + 3):
        owner.command(offset)
    decisions = [owner.machine.decide() for _ in range(tenure.WINDOW)]
    assert None not in decisions
    assert owner.machine.decide() is None
    owner.ack(decisions[0])
    assert owner.machine.decide() is not None
    assert owner.machine.decide() is None


def test_w7_no_decision_while_too_much_is_unpublished(owner, monkeypatch):
    monkeypatch.setattr(tenure, "UNPUBLISHED_MAX", 3)
    for offset in range(1, 6):
        # Undecodable, so malformed: an answer that is a fact.
        owner.machine.submit(offset, WALL_MS, b"?")
    for _ in range(3):
        owner.ack(owner.machine.decide())
    assert owner.machine.decide() is None
    (first, *_) = owner.asked(Publish)
    owner.machine.on_published(first.ledger_offset)
    assert owner.machine.decide() is not None


def test_w6_facts_are_asked_for_when_the_decision_is_acked_and_not_before(owner):
    owner.machine.submit(1, WALL_MS, b"?")
    decision = owner.machine.decide()
    assert owner.asked(Publish) == []
    owner.ack(decision)
    assert [publish.ledger_offset for publish in owner.asked(Publish)] == [2]


def test_w5_an_ack_that_goes_back_ends_the_process(owner):
    for offset in (1, 2):
        owner.command(offset)
    first, second = owner.machine.decide(), owner.machine.decide()
    owner.ack(first)
    owner.machine.on_appended(second.token, 2)
    assert [exits.code for exits in owner.asked(Exit)] == [tenure.EXIT_CODE]


def test_w5_a_decision_unacked_for_forty_seconds_ends_the_process(owner):
    owner.command(1)
    assert owner.machine.decide() is not None
    owner.at(ACK_MAX_MS)
    assert owner.asked(Exit) == []
    owner.at(ACK_MAX_MS + 50)
    assert owner.asked(Exit)[0].code == tenure.EXIT_CODE


def test_w10_a_record_from_the_future_waits_until_the_own_clock_has_passed_it(owner):
    owner.command(1, WALL_MS + tenure.AHEAD_MS + 1000)
    assert owner.machine.decide() is None
    assert [alarm.action for alarm in owner.asked(Alarm)] == ["clock.ahead"]
    owner.at(1000)
    assert owner.machine.decide() is not None


@pytest.mark.parametrize(
    "seen",
    [
        {"commands_end": 0},
        {"commands_start": 2, "commands_end": 3},
        {"genesis": (WALL_MS, encode_genesis(Genesis(b"M" * 16, 1, 0, b"")))},
        {"genesis": (WALL_MS + 1, COMMANDS_GENESIS[1])},
        {"at_src": (WALL_MS, b"another record")},
    ],
    ids=["shorter than decided", "cut behind src + 1", "of another log", "begun again", "another record at src"],
)
def test_w1_commands_that_the_ledger_did_not_decide_stop_the_partition(owner, seen):
    owner.look(**seen)
    assert owner.machine.role is Role.STOPPED
    assert [alarm.action for alarm in owner.asked(Alarm)] == ["partition.stopped"]
    owner.command(1)
    assert owner.machine.decide() is None


def test_w1_commands_that_fit_or_were_trimmed_behind_src_stop_nothing(owner):
    owner.look()
    owner.look(commands_start=1, genesis=None, at_src=None)
    assert owner.machine.role is Role.OWNER
    assert owner.asked(Alarm) == []


def takeover(partition: Partition) -> Look:
    """Let a waiting command meet silence until the machine looks before it claims."""
    partition.command(1)
    partition.effects.clear()
    for _ in range(80):
        partition.at(partition.machine.now_ms + 25)
        if looks := partition.asked(Look):
            return looks[0]
    pytest.fail("two seconds of silence, and no look")


def answer(partition: Partition, look: Look, ledger_end: int) -> None:
    partition.machine.on_seen(Seen(look.token, ledger_end, 0, 2, COMMANDS_GENESIS, COMMANDS_GENESIS))


def test_w9_a_silent_owner_is_replaced_after_a_fresh_look_that_shows_nothing_new(partition):
    answer(partition, takeover(partition), 1)
    assert len(partition.asked(AppendClaim)) == 1


def test_w9_no_claim_after_a_look_that_came_late_or_showed_something_new(partition):
    look = takeover(partition)
    answer(partition, look, 2)
    assert partition.asked(AppendClaim) == []
    late = takeover(partition)
    partition.at(partition.machine.now_ms + LOOK_FRESH_MS + 50)
    answer(partition, late, 1)
    assert partition.asked(AppendClaim) == []


def test_w9_who_was_not_running_does_not_call_others_silent(partition):
    partition.command(1)
    partition.at(400)
    partition.machine.on_clock(5000, WALL_MS + 5000)
    partition.at(5400)
    assert partition.asked(Look) == []


def test_w1_a_lost_claim_leaves_the_machine_warm(partition):
    partition.machine.claim("test")
    (claim,) = partition.asked(AppendClaim)
    other = decode_ledger(claim.value)._replace(nonce=b"B" * NONCE_BYTES)
    partition.machine.on_ledger(1, WALL_MS, encode_ledger(other))
    partition.machine.on_ledger(2, WALL_MS, claim.value)
    assert partition.machine.role is Role.WARM
    assert partition.machine.accepted.nonce == other.nonce


def test_w4_a_foreign_claim_in_the_hole_of_an_ack_fences(owner):
    owner.command(1)
    decision = owner.machine.decide()
    owner.machine.on_appended(decision.token, 3)
    assert owner.asked(Publish) == []
    mine = owner.machine.accepted
    body = encode_body(mine.claim._replace(worker="w2", incarnation="w2@1"))
    claim = LedgerRecord(CLAIM, mine.epoch + 1, b"B" * NONCE_BYTES, 0, bytes(DIGEST_BYTES), body)
    owner.machine.on_ledger(2, WALL_MS, encode_ledger(claim))
    assert owner.machine.role is Role.COLD
    assert owner.machine.accepted.src == -1
