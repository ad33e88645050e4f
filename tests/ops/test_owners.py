"""Who `turnstile owners` says owns and stands by."""

import pytest

from ops.cli.owners import _cells, _row
from ops.survey import PartitionState
from streams.plan import FOLLOW_ALL_MAX
from streams.records import Claim
from streams.topics import Ledger

CLAIM = Claim("w1", "w1@a", "1", waiting=True, reason="test")


def state(claim: Claim | None = CLAIM, yielded_to: str | None = None) -> PartitionState:
    return PartitionState(2, 3, claim, yielded_to, src=7, commands_end=10, ledger_end=12, at_ms=-1)


def group(*workers: str, planned: str = "") -> dict[str, frozenset[int]]:
    return {f"{name}@a": frozenset({2} if name == planned else ()) for name in workers}


@pytest.mark.parametrize(
    ("state", "group", "owner", "planned", "standby"),
    [
        (state(), group("w1", "w2", planned="w1"), "w1", "w1", "w2"),
        (state(), group("w1", "w2", planned="w2"), "w1", "w2", "w2"),
        (state(), group("w1"), "w1", "-", "-"),
        (state(), group("w2", "w3"), "w1 (not in the group)", "-", "w2, w3"),
        (state(), {"w1@b": frozenset()}, "w1 (not in the group)", "-", "w1"),
        (state(yielded_to="w2"), group("w1", "w2"), "(yielded to w2)", "-", "w1, w2"),
        (state(yielded_to=""), group("w1"), "(yielded to anybody)", "-", "w1"),
        (state(claim=None), {}, "-", "-", "-"),
    ],
)
def test_a_row_says_who_owns_and_who_stands_by(state, group, owner, planned, standby):
    assert _cells(_row(Ledger.ORDER, state, group)) == ("order", 2, owner, 3, 2, planned, standby, "-")


def test_of_many_workers_one_stands_by_beside_the_one_it_is_planned_for():
    many = group(*(f"w{number}" for number in range(1, FOLLOW_ALL_MAX + 5)), planned="w1")
    (standby,) = _row(Ledger.STOCK, state(), many).standby
    assert standby != "w1"
    moved = _row(
        Ledger.STOCK, state(), {member: planned for member, planned in many.items() if not member.startswith(standby)}
    )
    assert moved.standby != [standby]
    assert len(_row(Ledger.STOCK, state(Claim("w9", "w9@x", "1", waiting=True, reason="")), many).standby) == 2
