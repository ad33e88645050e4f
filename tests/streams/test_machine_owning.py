"""W1 and W4: how a worker comes to own a partition, and how it finds out that it does not any more."""

from dataclasses import dataclass
from unittest.mock import patch

import pytest

from streams import vigil
from streams.effects import (
    Alarm,
    AppendClaim,
    Exit,
    Look,
    Publish,
    ReadLedger,
    Rebuild,
    Role,
    SeekCommands,
    SeekLedger,
    StopCommands,
)
from streams.machine import PartitionMachine
from streams.records import decode_ledger, digest, encode_ledger
from tests.simulation.stock_referee import portrait
from tests.streams.hand import START_MS, Hand, Logs


@pytest.fixture
def logs() -> Logs:
    logs = Logs()
    logs.open_sale()
    return logs


@dataclass
class Rivals:
    """Two warm workers of one partition."""

    a: Hand
    b: Hand


@pytest.fixture
def rivals(logs) -> Rivals:
    return Rivals(Hand(logs, "a").warm(), Hand(logs, "b", seed=2).warm())


def test_a_cold_worker_asks_for_the_whole_ledger_and_is_warm_at_its_end(logs):
    hand = Hand(logs)
    hand.machine.start()
    assert hand.machine.role is Role.COLD
    assert hand.pull(Rebuild)
    hand.refold()
    assert hand.machine.role is Role.WARM
    assert hand.pull(SeekLedger) == [SeekLedger(1)]


def test_caught_up_with_less_than_the_ledger_had_is_not_warm(logs):
    hand = Hand(logs)
    hand.machine.start()
    hand.machine.on_caught_up(1)
    assert hand.machine.role is Role.COLD


@pytest.mark.parametrize(("partition", "log_id"), [(1, b"L" * 16), (0, b"M" * 16)], ids=["partition", "log"])
def test_a_ledger_of_another_log_or_partition_stops_the_worker(logs, partition, log_id):
    hand = Hand(logs)
    hand.machine.partition, hand.machine.log_id = partition, log_id
    hand.machine.start()
    hand.read()
    assert hand.machine.role is Role.STOPPED
    assert [alarm.action for alarm in hand.pull(Alarm)] == ["partition.stopped"]


def test_a_claim_right_behind_the_folded_records_owns_with_its_ack(logs):
    hand = Hand(logs).warm()
    hand.machine.claim("test")
    assert hand.claim() == 1
    assert hand.machine.role is Role.OWNER
    assert hand.pull(SeekCommands) == [SeekCommands(1)]


def test_a_claim_behind_a_hole_owns_only_when_the_hole_is_folded(logs, rivals):
    rivals.a.own().run()
    rivals.b.machine.claim("test")
    rivals.b.read(1)
    (claim,) = rivals.b.pull(AppendClaim)
    offset = logs.append(claim.value)
    rivals.b.machine.on_claim_appended(claim.nonce, offset)
    assert rivals.b.machine.role is Role.WARM
    assert rivals.b.read_holes() == [(1, offset + 1)]
    assert rivals.b.machine.role is Role.WARM  # it claimed epoch 1, which the hole has given to the other
    rivals.b.machine.claim("again")
    rivals.b.claim()
    assert rivals.b.machine.role is Role.OWNER
    assert portrait(rivals.b.machine.state) == portrait(rivals.a.machine.state)


def test_of_claims_at_the_same_moment_the_first_owns_and_the_others_stay_warm(logs):
    hands = [Hand(logs, f"w{number}", seed=number).warm() for number in range(3)]
    for hand in hands:
        hand.machine.claim("test")
    claims = [hand.pull(AppendClaim)[0] for hand in hands]
    offsets = [logs.append(claim.value) for claim in claims]
    for hand, claim, offset in zip(hands, claims, offsets, strict=True):
        hand.machine.on_claim_appended(claim.nonce, offset)
        hand.read()
    assert [hand.machine.role for hand in hands] == [Role.OWNER, Role.WARM, Role.WARM]
    assert [hand.machine.claiming for hand in hands] == [None] * 3
    assert len({decode_ledger(claim.value).nonce for claim in claims}) == 3


def test_a_claim_whose_ack_tells_no_place_owns_when_the_tail_shows_it(logs):
    hand = Hand(logs).warm()
    hand.machine.claim("test")
    (claim,) = hand.pull(AppendClaim)
    logs.append(claim.value)
    hand.machine.on_claim_appended(claim.nonce, -1)
    assert hand.machine.role is Role.WARM
    hand.read()
    assert hand.machine.role is Role.OWNER


def test_one_claim_at_a_time(logs):
    hand = Hand(logs).warm()
    hand.machine.claim("one")
    hand.machine.claim("two")
    assert len(hand.pull(AppendClaim)) == 1


def test_a_fenced_owner_with_nothing_on_its_way_keeps_its_state_and_is_warm(logs, rivals):
    rivals.a.own().run()
    rivals.b.read()
    rivals.b.own()
    rivals.a.forget()
    rivals.a.read()
    assert rivals.a.machine.role is Role.WARM
    assert rivals.a.pull(StopCommands)
    assert not rivals.a.pull(Rebuild)
    assert portrait(rivals.a.machine.state) == portrait(rivals.b.machine.state)


def test_a_fenced_owner_with_decisions_on_their_way_drops_its_state_and_publishes_none_of_them(logs, rivals):
    rivals.a.own().run()
    rivals.b.read()
    logs.reserve(1)
    rivals.a.hear()
    (lost,) = rivals.a.decide()
    rivals.b.own()
    rivals.a.land(lost)
    rivals.a.read_holes()
    assert rivals.a.machine.role is Role.COLD
    assert rivals.a.pull(Rebuild)
    assert not rivals.a.pull(Publish)
    rivals.b.run()
    rivals.a.refold()
    assert portrait(rivals.a.machine.state) == portrait(rivals.b.machine.state)


def test_a_fenced_owner_does_not_claim_back_by_itself_at_once(logs, rivals):
    rivals.a.own()
    logs.reserve(1)
    rivals.a.hear()
    rivals.b.read()
    rivals.b.own()
    rivals.a.read()
    assert rivals.a.wait_for(Look, 5000) >= 500


@pytest.mark.parametrize("what", ["a losing claim", "a stale decision", "rubbish"])
def test_what_lies_in_a_hole_without_effect_does_not_fence(logs, rivals, what):
    if what == "a stale decision":
        rivals.b.own()
        (stale,) = rivals.b.decide()
        rivals.a.read()
    rivals.b.machine.claim("too late")
    rivals.a.own()
    (append,) = rivals.a.decide()
    if what == "a losing claim":
        logs.append(rivals.b.pull(AppendClaim)[0].value)
    elif what == "a stale decision":
        logs.append(stale.value)
    else:
        logs.append(b"rubbish")
    offset = rivals.a.land(append)
    assert not rivals.a.pull(Publish)
    assert rivals.a.read_holes() == [(offset - 1, offset)]
    assert rivals.a.machine.role is Role.OWNER
    assert [fact.ledger_offset for fact in rivals.a.pull(Publish)] == [offset]


def test_a_hole_in_the_tail_is_not_folded_over(logs, rivals):
    rivals.a.own().run()
    machine = rivals.b.machine
    machine.on_ledger(2, *logs.ledger[2])
    machine.on_ledger(2, *logs.ledger[2])
    assert rivals.b.pull(SeekLedger) == [SeekLedger(1)]
    assert machine.ledger_next == 1


def _shorter(logs):
    del logs.commands[1:]


def _cut(logs):
    logs.commands_start = len(logs.commands)
    logs.commands += logs.commands[1:]
    logs.commands_start += 1


def _made_anew(logs):
    logs.commands[0] = (START_MS + 1, logs.commands[0][1])


def _replaced(logs):
    logs.commands[-1] = (START_MS, b"something else")


@pytest.mark.parametrize("damage", [_shorter, _cut, _made_anew, _replaced])
def test_a_commands_topic_that_this_ledger_did_not_decide_stops_the_partition(logs, rivals, damage):
    rivals.a.own().run()
    rivals.b.read()
    rivals.b.machine.on_plan(assigned=True, members=frozenset({"b@1"}))
    damage(logs)
    rivals.b.wait_for(Look, 5000)
    rivals.b.look()
    assert rivals.b.machine.role is Role.STOPPED
    assert rivals.b.pull(Alarm)
    assert not rivals.b.pull(AppendClaim)


def test_without_the_look_at_the_commands_requests_of_a_topic_made_anew_are_dropped_silently(logs, rivals):
    for number in range(5):
        logs.reserve(number)
    rivals.a.own().run()
    rivals.b.read()
    anew = Logs()
    anew.open_sale()
    logs.commands = anew.commands
    lost = [logs.reserve(number) for number in (8, 9)]
    with patch.object(vigil, "_contradiction", lambda *_: ""):
        rivals.b.machine.on_plan(assigned=True, members=frozenset({"b@1"}))
        rivals.b.wait_for(Look, 5000)
        rivals.b.look()
        rivals.b.claim()
        rivals.b.run()
    assert rivals.b.machine.role is Role.OWNER
    assert rivals.b.machine.next_command > max(lost)


def test_what_retention_took_away_is_not_held_against_the_topic(logs, rivals):
    logs.reserve(1)
    rivals.a.own().run()
    rivals.b.read()
    logs.commands_start = len(logs.commands)
    rivals.b.machine.on_plan(assigned=True, members=frozenset({"b@1"}))
    rivals.b.wait_for(Look, 5000)
    rivals.b.look()
    assert rivals.b.pull(AppendClaim)


def test_without_folding_the_hole_an_owner_decides_twice_and_would_tell_it(logs, rivals):
    def fold_only_the_claim(machine, nonce, offset):
        machine.accepted.offset = offset - 1
        machine.on_ledger(offset, machine.wall_ms, machine.claiming[1])

    rivals.a.own().run()
    with patch.object(PartitionMachine, "on_claim_appended", fold_only_the_claim):
        rivals.b.machine.claim("test")
        rivals.b.claim()
        rivals.b.run()
    assert [decided.src for _, _, decided in logs.decided()] == [1, 1]
    reader = Hand(logs, "c").warm()
    assert reader.machine.counts["duplicate"] == 1
    assert len(logs.events) == 2


def test_a_record_with_the_own_nonce_that_is_not_the_own_decision_ends_the_process(logs, rivals):
    """Another process has this nonce too: a copied virtual machine, a fork after claiming."""
    rivals.a.own()
    (append,) = rivals.a.decide()
    own = decode_ledger(append.value)
    body = own.body[:-1] + bytes((own.body[-1] ^ 1,))
    logs.append(encode_ledger(own._replace(body=body, digest=digest(rivals.a.machine.accepted.digest, body))))
    rivals.a.read()
    assert [effect.code for effect in rivals.a.pull(Exit)] == [70]
    assert not rivals.a.pull(Publish)


def test_own_records_that_only_a_hole_shows_to_be_accepted_are_published_in_order_and_first(logs, rivals):
    for number in range(3):
        logs.reserve(number)
    rivals.a.own()
    first, second, third, fourth = rivals.a.decide()
    offsets = [rivals.a.land(first, ack=-1), rivals.a.land(second, ack=-1), rivals.a.land(third)]
    assert not rivals.a.pull(Publish)
    rivals.a.read()
    offsets.append(rivals.a.land(fourth))
    assert [fact.ledger_offset for fact in rivals.a.pull(Publish)] == offsets


def test_the_hole_is_asked_for_once(logs, rivals):
    for number in range(3):
        logs.reserve(number)
    rivals.a.own()
    appends = rivals.a.decide()
    logs.append(b"rubbish")
    for append in appends:
        rivals.a.land(append)
    assert len(rivals.a.pull(ReadLedger)) == 1
