"""The stock fold as the partition machine sees it: faults, foreign records, what is lawful, what is due, hints."""

import gc
import tracemalloc
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from domain import evolve, inventory
from domain.outcomes import InvariantViolatedError
from domain.roles import Role
from domain.stock import (
    Adjusted,
    Commit,
    Expired,
    Extended,
    Granted,
    Opened,
    PolicySet,
    Refused,
    Released,
    Reserve,
    Returned,
    Sold,
)
from streams.protocol import Pin, Tick, Yield
from streams.records import EMPTY_DETAILS, Decided, UndecodableError
from streams.stock_records import decode_hint, decode_totals, encode_details, encode_hint
from tables.stock import StockFold, hint
from tests.properties.commands import customer, fingerprint, hold, reserve, sale
from tests.properties.content import content
from tests.properties.partition import Partition

H1, H2, H3 = hold("h1"), hold("h2"), hold("h3")
ANN = customer("ann")


def shop(units=3, limit=2, hold_ms=1_000) -> Partition:
    """h1 held by ann, h2 sold to bob, one unit left."""
    partition = Partition()
    partition.record(*sale("a", units, limit=limit, hold_ms=hold_ms))
    until = partition.clk + 60_000
    asked = [reserve("h1", "ann", "a", until=until), reserve("h2", "bob", "a", until=until)]
    assert partition.record(*asked, role=Role.GATEWAY) == ["granted", "granted"]
    assert partition.record(Commit(H2), role=Role.ORDER) == ["committed"]
    return partition


def decided(partition: Partition, *changes, totals=None, after_ms=1) -> Decided:
    """A record that somebody else says was decided next."""
    totals = totals or [partition.owner.pools["a"].totals()]
    totals = [each._replace(sequence=each.sequence + 1) for each in totals]
    details = encode_details([], list(changes), totals)
    return Decided(partition.src + 1, bytes(16), partition.clk + after_ms, "x", 1, b"", None, None, details)


# --- one command's bug ----------------------------------------------------------------------------------------


def test_a_bug_in_deciding_one_command_is_a_fault_and_stops_nobody_else(monkeypatch):
    decide = inventory._DECIDE[Reserve]

    def buggy(state, command, index):
        if command.sku == "mug":
            return {}["nothing"]
        return decide(state, command, index)

    monkeypatch.setitem(inventory._DECIDE, Reserve, buggy)
    partition = shop()
    until = partition.clk + 60_000
    asked = [reserve("h3", "cy", "mug", until=until), reserve("h4", "dan", "a", until=until)]
    assert partition.record(*asked, role=Role.GATEWAY) == ["fault", "granted"]
    assert partition.faults == [(0, "KeyError: 'nothing'")]
    partition.verify()


def test_a_bug_in_evolving_stops_the_partition(monkeypatch):
    partition = shop()

    def buggy(state, changes):
        raise ZeroDivisionError

    monkeypatch.setitem(evolve.EVOLVE, Sold, buggy)
    with pytest.raises(ZeroDivisionError):
        partition.record(Commit(H1), role=Role.ORDER)


def test_a_broken_state_met_while_deciding_stops_the_partition(monkeypatch):
    def broken(state, command, index):
        message = "planted"
        raise InvariantViolatedError(message)

    monkeypatch.setitem(inventory._DECIDE, Commit, broken)
    with pytest.raises(InvariantViolatedError):
        shop()


def test_commands_of_the_protocol_are_left_to_it():
    partition = shop()
    commands = [Tick(), Commit(H1), Yield("w2", 1, 0), Pin("w1")]
    decision = partition.fold.decide(partition.owner, commands, Role.OPS, partition.src + 1, partition.clk)
    assert list(decision.outcomes) == [0, 20, 0, 0]


# --- records decided by somebody else -------------------------------------------------------------------------

GRANT = Granted(0, H3, "a", ANN, 1, 500, "EUR", 1_001_001, fingerprint("f"), b"")
MISFITS = {
    "a grant in a pool that is not there": [GRANT._replace(sku="b")],
    "a grant of more than is available": [GRANT._replace(quantity=2)],
    "a grant at another price": [GRANT._replace(unit_price=499)],
    "a grant in another currency": [GRANT._replace(currency="USD")],
    "a grant with another deadline": [GRANT._replace(deadline_ms=1_001_002)],
    "a second grant of a live hold": [GRANT._replace(hold=H1)],
    "a second grant of a sold hold": [GRANT._replace(hold=H2)],
    "a sale of nothing": [Sold(0, H3)],
    "a second sale": [Sold(0, H2)],
    "an expiry before its time": [Expired(H1)],
    "an expiry of a sale": [Expired(H2)],
    "an expiry of nothing": [Expired(H3)],
    "an extension that is none": [Extended(0, H1, 1_001_000)],
    "an extension of a sale": [Extended(0, H2, 1_009_000)],
    "a release of what is released": [Released(0, H1, ANN), Released(0, H1, ANN)],
    "a return of more than was sold": [Returned(0, H2, 1, 2, True)],
    "a return of what is held": [Returned(0, H1, 1, 1, True)],
    "a refusal that is remembered": [Refused(0, H3, 13, ANN), Refused(1, H3, 13, ANN)],
    "a policy out of turn": [PolicySet(0, "a", 2, 500, "EUR", 1, 1, "")],
    "a pool that begins in the middle": [PolicySet(0, "b", 2, 500, "EUR", 1, 1, "")],
    "an opening out of turn": [Opened(0, "a", 2)],
    "units taken that are not there": [Adjusted(0, "a", -2, "r")],
    "an adjustment of no pool": [Adjusted(0, "b", 1, "r")],
    "totals of a pool that was not touched": [],
}


@pytest.mark.parametrize("changes", MISFITS.values(), ids=MISFITS)
def test_a_record_that_does_not_fit_the_state_is_not_folded(changes):
    partition = shop()
    with pytest.raises(InvariantViolatedError):
        partition.fold.apply(partition.standby, decided(partition, *changes))


def test_a_record_that_fits_is_folded_and_its_totals_are_compared():
    partition = shop()
    totals = partition.owner.pools["a"].totals()._replace(available=0, held=2)
    wrong = totals._replace(received=4, available=1)
    with pytest.raises(InvariantViolatedError):
        partition.fold.apply(partition.owner, decided(partition, GRANT, totals=[wrong]))
    partition.fold.apply(partition.standby, decided(partition, GRANT, totals=[totals]))
    assert partition.standby.pools["a"].held == 2


def test_log_time_never_goes_back():
    partition = shop()
    with pytest.raises(InvariantViolatedError):
        partition.fold.apply(partition.standby, decided(partition, GRANT, after_ms=-1))


def test_a_ruling_without_details_moves_nothing_but_time():
    partition = shop()
    before = content(partition.owner)
    ruling = Decided(
        partition.src + 1, bytes(16), partition.clk + 5, "", 0, b"\x03", None, None, EMPTY_DETAILS, ("op", "bad")
    )
    assert partition.fold.lawful(partition.owner, ruling, evolved=False)
    partition.fold.apply(partition.owner, ruling)
    assert content(partition.owner) == before | {"clk": partition.clk + 5, "src": partition.src + 1}


@pytest.mark.parametrize("details", [b"\x01", b"\x93\x90\x91\x92\x63\x90\x90", b"\x93\x90\x90"])
def test_details_of_another_make_are_undecodable(details):
    partition = shop()
    record = decided(partition)._replace(details=type(EMPTY_DETAILS)(details))
    with pytest.raises(UndecodableError):
        partition.fold.apply(partition.standby, record)


LAWS = {
    "conserved and next": ({}, True),
    "a unit too many": ({"available": 2}, False),
    "a unit too few": ({"held": 0}, False),
    "negative": ({"available": -1, "held": 3}, False),
    "negative write-off": ({"written_off": -1, "available": 2}, False),
    "a sequence too late": ({"sequence": 99}, False),
    "the sequence before": ({"sequence": 3}, False),
    "a new pool that does not begin with 1": ({"sku": "b"}, False),
}


@pytest.mark.parametrize(("field", "lawful"), LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("evolved", [False, True])
def test_what_a_record_may_say_of_its_totals(field, lawful, evolved):
    partition = shop()
    totals = partition.owner.pools["a"].totals()
    assert totals.sequence == 3
    # What decided() adds one to.
    said = totals._replace(**{**field, **({"sequence": field["sequence"] - 1} if "sequence" in field else {})})
    record = decided(partition, totals=[said])
    if evolved:
        partition.owner.pools["a"].sequence += 1
    assert partition.fold.lawful(partition.owner, record, evolved=evolved) is lawful


def test_what_is_due_is_the_earliest_deadline_and_nothing_once_it_is_swept():
    partition = shop(hold_ms=1_000)
    assert partition.fold.due_at_ms(partition.owner) == partition.clk + 1_000
    assert partition.fold.due_at_ms(partition.standby) == partition.clk + 1_000
    partition.record(after_ms=1_000)
    assert partition.fold.due_at_ms(partition.owner) is None
    assert partition.fold.due_at_ms(partition.standby) is None


def test_a_hint_says_what_the_pool_is():
    partition = shop()
    pool = partition.owner.pools["a"]
    said = decode_hint(encode_hint(hint(pool, 7, partition.clk)))
    assert said[:10] == ("a", 7, partition.clk, 2, 1, 500, "EUR", 2, 1_000, "key")
    assert said[10:] == pool.totals()[1:]


def test_the_totals_of_a_record_are_read_without_its_changes():
    partition = shop()
    assert [each.sku for each in decode_totals(decided(partition, GRANT).details)] == ["a"]
    assert decode_totals(EMPTY_DETAILS) == []


def test_a_new_state_is_under_the_first_rules_which_this_program_has():
    fold = StockFold()
    assert fold.rules_version(fold.new_state(3)) in fold.rules_versions


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["c", "r"])), max_size=30))
def test_the_same_records_give_the_same_bytes(steps):
    """Two owners from the same commands: equal details to the byte, which is what a replay compares."""
    ours, theirs = shop(units=5, limit=5), shop(units=5, limit=5)
    for number, kind in steps:
        name = f"n{number}"
        command = Commit(hold(name)) if kind == "c" else reserve(name, "ann", "a", until=ours.clk + 9_000)
        ours.src, theirs.src = ours.src + 1, theirs.src + 1
        decisions = [each.fold.decide(each.owner, [command], Role.ORDER, each.src, each.clk) for each in (ours, theirs)]
        assert decisions[0] == decisions[1]


@pytest.mark.slow
@pytest.mark.parametrize(("sold", "least", "most"), [(False, 100, 500), (True, 60, 120)], ids=["live", "sold"])
def test_what_a_row_costs_in_memory(sold, least, most):
    """Bytes of all that the state keeps for it: row, count, deadline. 20,000 customers, batches of 100."""
    partition = Partition()
    partition.record(*sale("a", 20_000, limit=1, hold_ms=900_000))
    fold, state, clk, rng = partition.fold, partition.owner, partition.clk, Random(6)

    def reserve_100():
        until, what = clk + 900_000, rng.randbytes(8)
        return [Reserve(rng.randbytes(17), "a", rng.randbytes(8), 1, until, what) for _ in range(100)]

    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(200):
            asked = reserve_100()
            fold.decide(state, asked, Role.GATEWAY, 2 + 2 * number, clk + number)
            settled = [Commit(command.hold) for command in asked if sold]
            fold.decide(state, settled, Role.ORDER, 3 + 2 * number, clk + number)
        del asked, settled
        size = (tracemalloc.get_traced_memory()[0] - before) / 20_000
    finally:
        tracemalloc.stop()
    pool = state.pools["a"]
    assert (pool.held, pool.sold) == ((0, 20_000) if sold else (20_000, 0))
    assert least < size <= most, size
