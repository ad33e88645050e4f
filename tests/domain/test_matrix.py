"""Every row state against every command: the answer, and what becomes of the row."""

import re

import pytest

from domain.reservation import NO_TERMS, RowState
from domain.roles import Role
from domain.rules import Rules
from domain.stock import COMMANDS, Answered, Commit, Extend, Release, Return
from tests.properties.commands import customer, hold, reserve, reserve_all, sale
from tests.properties.partition import Partition

# "answer > state after". States: none, HELD, SOLD, PART (sold, one of two returned), EXPIRED (its units are there),
# EXPIRED0 (they are not), RELEASED, RETURNED, TOMBSTONE (released before anything was granted), REFUSED (no row, but
# a remembered refusal). A ReserveAll of this one line comes to what the Reserve does.
MATRIX = """
 state      commit                release              extend              return               reserve
 none       gone > none           released > TOMBSTONE gone > none         gone > none          granted > HELD
 HELD       committed > SOLD      released > RELEASED  extended > HELD     gone > HELD          granted! > HELD
 SOLD       committed > SOLD      released > RELEASED  gone > SOLD         returned > PART      granted! > SOLD
 PART       committed > PART      released > RELEASED  gone > PART         returned > RETURNED  granted! > PART
 EXPIRED    committed > SOLD      released > RELEASED  expired > EXPIRED   gone > EXPIRED       granted! > EXPIRED
 EXPIRED0   gone > RELEASED       released > RELEASED  expired > EXPIRED   gone > EXPIRED       granted! > EXPIRED
 RELEASED   gone > RELEASED       released > RELEASED  gone > RELEASED     gone > RELEASED      granted! > RELEASED
 RETURNED   gone > RETURNED       released > RETURNED  gone > RETURNED     returned > RETURNED  granted! > RETURNED
 TOMBSTONE  gone > TOMBSTONE      released > TOMBSTONE gone > TOMBSTONE    gone > TOMBSTONE     gone > TOMBSTONE
 REFUSED    gone > REFUSED        released > TOMBSTONE gone > REFUSED      gone > REFUSED       limit-reached! > REFUSED
"""
H1 = hold("h1")
ANN = customer("ann")
HOLD_MS = 1_000
KIND_OF = {cls: kind for kind, cls in COMMANDS.items()}


def rows():
    header, *lines = MATRIX.strip().splitlines()
    names = header.split()[1:]
    for line in lines:
        state, *cells = re.findall(r"\S+ > \S+|^\s*\S+", line)
        for name, cell in zip(names, cells, strict=True):
            answer, after = cell.split(" > ")
            yield state.strip(), name, answer, after
            if name == "reserve":
                yield state.strip(), "reserve all", answer, after


def partition_in(state: str) -> Partition:
    """One pool of two units, two a customer; ann's h1 is of two units and in `state`."""
    partition = Partition()
    partition.record(*sale("a", 2, limit=2, hold_ms=HOLD_MS))
    until = partition.clk + 60_000
    if state == "REFUSED":
        partition.record(reserve("h0", "ann", "a", 2, until=until), role=Role.GATEWAY)
        assert partition.record(reserve("h1", "ann", "a", 2, until=until), role=Role.GATEWAY) == ["limit-reached"]
        return partition
    if state not in {"none", "TOMBSTONE"}:
        assert partition.record(reserve("h1", "ann", "a", 2, until=until), role=Role.GATEWAY) == ["granted"]
    steps = {
        "SOLD": [Commit(H1)],
        "PART": [Commit(H1), Return(H1, 9, 1, restock=True)],
        "RELEASED": [Release(H1)],
        "RETURNED": [Commit(H1), Return(H1, 9, 2, restock=True)],
        "TOMBSTONE": [Release(H1)],
    }.get(state, [])
    partition.record(*steps, role=Role.ORDER)
    if state.startswith("EXPIRED"):
        partition.record(after_ms=HOLD_MS)
    if state == "EXPIRED0":
        assert partition.record(reserve("h2", "bob", "a", 1, until=until), role=Role.GATEWAY) == ["granted"]
    return partition


def state_of(partition: Partition) -> str:
    row = partition.owner.rows.get(H1)
    if row is None:
        return "REFUSED" if partition.owner.refusals.get(H1) else "none"
    if row.terms == NO_TERMS:
        return "TOMBSTONE"
    return "PART" if row.state == RowState.SOLD and row.returned else RowState(row.state).name


@pytest.mark.parametrize(("state", "name", "answer", "after"), list(rows()))
def test_row_state_against_command(state, name, answer, after):
    partition = partition_in(state)
    until = partition.clk + 60_000
    command = {
        "commit": Commit(H1, ANN),
        "release": Release(H1, ANN),
        "extend": Extend(H1, until),
        "return": Return(H1, 1, 1, restock=True),
        "reserve": reserve("h1", "ann", "a", 2, until=until),
        "reserve all": reserve_all("h1", "ann", ("a", 2), until=until),
    }[name]
    before = partition.owner.pools["a"].totals()
    assert partition.record(command, role=Role.ORDER) == [answer]
    assert state_of(partition) == after
    partition.verify()
    answered = [change for change in partition.changes() if isinstance(change, Answered)]
    if answered == partition.changes():
        assert partition.owner.pools["a"].totals() == before
    silent = name == "reserve" or partition.details.repeats or len(partition.changes()) > len(answered)
    reference = 1 if name == "return" else 0
    assert answered == ([] if silent else [Answered(0, H1, KIND_OF[type(command)], reference)])


def test_the_matrix_is_whole():
    assert len(list(rows())) == 10 * 6


@pytest.mark.parametrize("state", ["HELD", "SOLD", "PART", "EXPIRED", "RELEASED", "RETURNED", "TOMBSTONE"])
@pytest.mark.parametrize("kind", [Commit, Release])
def test_nobody_settles_another_customers_hold(state, kind):
    partition = partition_in(state)
    if state == "TOMBSTONE":  # ann's own: the matrix makes one without a customer
        partition = partition_in("none")
        partition.record(Release(H1, ANN), role=Role.ORDER)
    assert partition.record(kind(H1, customer("bob")), role=Role.ORDER) == ["not-yours"]
    assert partition.changes() == [Answered(0, H1, KIND_OF[kind])]


def test_a_hold_past_its_deadline_that_was_not_swept_is_sold_but_not_extended():
    partition = Partition(Rules(sweep_max=0))
    partition.record(*sale("a", 2, limit=2, hold_ms=HOLD_MS))
    until = partition.clk + 60_000
    partition.record(reserve("h1", "ann", "a", 2, until=until), role=Role.GATEWAY)
    assert partition.record(Extend(H1, until), role=Role.ORDER, after_ms=HOLD_MS) == ["expired"]
    assert partition.record(Commit(H1), role=Role.ORDER) == ["committed"]
    partition.verify()
