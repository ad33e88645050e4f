"""A snapshot says all that its machine knew, and vouches for it: nothing else is ever taken for it."""

from random import Random

import pytest

from domain.outcomes import InvariantViolatedError
from domain.stock import Adjust
from streams.acceptance import Verdict
from streams.effects import Publish, Rebuild, Role
from streams.machine import Member, PartitionMachine
from streams.records import decode_decided, decode_ledger, encode_body
from tables.snapshot import BadSnapshotError, OtherVersionError, Picture, check, decode_meta, encode_meta, hash_of
from tables.stock import StockFold
from tests.properties.content import content
from tests.streams.hand import LOG_ID, Hand
from tests.tables.frozen import loaded, sale, taken

ME = Member("w3", "w3@1", "code")


def new_machine(partition: int = 0, log_id: bytes = LOG_ID) -> PartitionMachine:
    machine = PartitionMachine(StockFold(), partition, ME, Random(1), 500, log_id)
    machine.start()
    return machine


def slots(accepted) -> dict:
    return {name: getattr(accepted, name) for name in accepted.__slots__}


def restored(meta, shards) -> PartitionMachine:
    machine = new_machine()
    loading = loaded(machine, meta, shards)
    machine.restore(loading.head(), loading.state)
    return machine


def test_a_machine_from_a_snapshot_knows_what_the_one_that_folded_everything_knows():
    _, standby = sale()
    machine = restored(*taken(standby.machine))
    assert slots(machine.accepted) == slots(standby.machine.accepted)
    assert content(machine.state) == content(standby.machine.state)
    assert [one[:3] for one in machine.outbox.pending] == [one[:3] for one in standby.machine.outbox.pending]
    assert machine.outbox.pending
    assert (machine.outbox.watermark, machine.outbox.newest) == (
        standby.machine.outbox.watermark,
        standby.machine.outbox.newest,
    )
    assert machine.takeover.last_claim_ms == standby.machine.takeover.last_claim_ms


def test_it_folds_the_tail_and_owns_like_any_other():
    logs, standby = sale()
    meta, shards = taken(standby.machine)
    logs.ms += 2_000
    logs.reserve(99)
    first = Hand(logs, "w2").warm().own()
    first.run()
    hand = Hand(logs, "w3")
    hand.clock()
    hand.machine.start()
    loading = loaded(hand.machine, meta, shards)
    hand.machine.restore(loading.head(), loading.state)
    assert hand.machine.ledger_next == meta.offset + 1
    hand.refold()
    assert hand.machine.role is Role.WARM
    assert content(hand.machine.state) == content(first.machine.state)
    hand.own()
    hand.logs.reserve(100)
    hand.run()
    assert hand.machine.accepted.src == len(logs.commands) - 1


def test_what_was_unpublished_is_published_again_by_an_owner_that_began_with_a_snapshot():
    logs, standby = sale()
    waiting = [one.ledger_offset for one in standby.machine.outbox.pending]
    hand = Hand(logs, "w3")
    hand.machine.start()
    meta, shards = taken(standby.machine)
    loading = loaded(hand.machine, meta, shards)
    hand.machine.restore(loading.head(), loading.state)
    hand.refold()
    hand.own()
    assert [fact.ledger_offset for fact in hand.pull(Publish)] == waiting


def test_a_duplicate_of_a_decision_before_the_snapshot_is_still_compared_with_it():
    logs, standby = sale()
    accepted = restored(*taken(standby.machine)).accepted
    assert sum(entry[0] >= 0 for entry in accepted.ring) == standby.machine.accepted.src
    record = decode_ledger(logs.ledger[-1][1])
    decided = decode_decided(record.body)
    other = decided._replace(number=decided.number + 1)
    assert accepted.judge_decision(record, decided, lambda _: True) is Verdict.DUPLICATE
    again = record._replace(body=encode_body(other))
    assert accepted.judge_decision(again, other, lambda _: True) is Verdict.DIVERGENT


def test_a_torn_shard_is_found_whichever_it_is():
    _, standby = sale()
    meta, shards = taken(standby.machine)
    for at, shard in enumerate(shards):
        torn = bytearray(shard)
        torn[len(torn) // 2] ^= 1
        with pytest.raises(BadSnapshotError, match=f"shard {at} is torn"):
            loaded(standby.machine, meta, [*shards[:at], bytes(torn), *shards[at + 1 :]])


def test_missing_and_swapped_and_foreign_shards_are_found():
    _, standby = sale()
    meta, shards = taken(standby.machine)
    with pytest.raises(BadSnapshotError, match="has 3 shards of"):
        loaded(standby.machine, meta, shards[:3]).head()
    with pytest.raises(BadSnapshotError, match="torn"):
        loaded(standby.machine, meta, [shards[1], shards[0], *shards[2:]])
    _, other = sale(buyers=2)
    with pytest.raises(BadSnapshotError, match="torn"):
        loaded(standby.machine, meta, taken(other.machine)[1])


def test_a_head_of_another_moment_than_the_meta_record_is_found():
    _, standby = sale()
    meta, shards = taken(standby.machine)
    with pytest.raises(BadSnapshotError, match="its head is of ledger offset"):
        loaded(standby.machine, meta._replace(offset=meta.offset - 1), shards).head()


def test_a_shard_that_its_hash_vouches_for_and_nobody_understands_is_found():
    _, standby = sale()
    meta, _ = taken(standby.machine)
    strange = b"\x93\x01\x02\x03"
    with pytest.raises(BadSnapshotError, match="cannot be read"):
        loaded(standby.machine, meta._replace(hashes=hash_of(strange)), [strange])


def test_a_torn_meta_record_is_found():
    meta, _ = taken(sale()[1].machine)
    value = encode_meta(meta)
    assert decode_meta(value) == meta
    for torn in (b"", value[:-1], value[:20] + b"\xff" + value[21:]):
        with pytest.raises(BadSnapshotError, match="torn"):
            decode_meta(torn)


@pytest.mark.parametrize(
    ("change", "why"),
    [({"ledger": "order"}, "of order 0"), ({"partition": 1}, "of stock 1"), ({"log_id": b"M" * 16}, "log 4d4d")],
)
def test_a_snapshot_of_something_else_is_found(change, why):
    meta, _ = taken(sale()[1].machine)
    check(meta, StockFold(), 0, LOG_ID)
    check(meta, StockFold(), 0, b"")
    with pytest.raises(BadSnapshotError, match=why) as told:
        check(meta._replace(**change), StockFold(), 0, LOG_ID)
    assert not isinstance(told.value, OtherVersionError)


@pytest.mark.parametrize(("change", "why"), [({"layout": 99}, "layout 99"), ({"rules_version": 77}, "rules 77")])
def test_a_snapshot_of_another_version_is_left_to_it(change, why):
    meta, _ = taken(sale()[1].machine)
    with pytest.raises(OtherVersionError, match=why):
        check(meta._replace(**change), StockFold(), 0, LOG_ID)


def test_a_meta_record_of_another_format_is_left_to_its_version():
    value = encode_meta(taken(sale()[1].machine)[0])
    with pytest.raises(OtherVersionError, match="format 2"):
        decode_meta(b"\x02" + value[1:])


def test_a_machine_of_another_log_or_partition_does_not_take_it():
    _, standby = sale()
    meta, shards = taken(standby.machine)
    for machine in (new_machine(partition=1), new_machine(log_id=b"M" * 16)):
        loading = loaded(machine, meta, shards)
        with pytest.raises(InvariantViolatedError, match="another log or partition"):
            machine.restore(loading.head(), loading.state)


def test_only_a_machine_that_has_folded_nothing_takes_one():
    logs, standby = sale()
    meta, shards = taken(standby.machine)
    logs.reserve(98)
    warm = Hand(logs, "w3").warm()
    before = warm.machine.accepted
    loading = loaded(warm.machine, meta, shards)
    warm.machine.restore(loading.head(), loading.state)
    assert warm.machine.accepted is before


def test_an_owner_has_no_tip_to_be_recognised_by_and_gives_none():
    logs, _ = sale()
    owner = Hand(logs, "w3").warm().own()
    logs.reserve(97)
    owner.run()
    with pytest.raises(ValueError, match="no tip"):
        Picture(owner.machine)


def test_a_state_that_the_ledger_does_not_go_on_from_is_dropped_and_folded_from_the_beginning():
    logs, standby = sale()
    meta, shards = taken(standby.machine)
    logs.command(Adjust("A", 1, "more", ""))
    Hand(logs, "w2").warm().own().run()
    hand = Hand(logs, "w3")
    hand.machine.start()
    hand.forget()
    loading = loaded(hand.machine, meta, shards)
    loading.state.pools["A"].sequence += 1  # as a fold that was wrong when it was written
    hand.machine.restore(loading.head(), loading.state)
    hand.read()
    assert hand.pull(Rebuild) == [Rebuild(afresh=True)]
    assert (hand.machine.role, hand.machine.ledger_next) == (Role.COLD, 0)
    hand.refold()
    assert hand.machine.role is Role.WARM


def test_a_picture_stands_as_long_as_its_machine_stands_still_and_no_longer():
    logs, standby = sale()
    picture = Picture(standby.machine)
    assert not picture.stands()
    assert standby.machine.standstill.begin()
    assert picture.stands()
    standby.machine.standstill.end()
    assert not picture.stands()
    logs.reserve(96)
    Hand(logs, "w1").warm().own().run()
    standby.read()
    assert standby.machine.standstill.begin()  # another time
    assert not picture.stands()
    standby.machine.start()
    assert not picture.stands()
