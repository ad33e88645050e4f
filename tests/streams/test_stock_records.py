"""Runs of unlike tuples, and the stock ledger's details: what is packed comes back, in order."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.columns import GrantedRun, ReserveRun
from domain.roles import Role
from domain.stock import CHANGES, COMMANDS, Expired, Granted, Refused, Reserve, Totals
from streams.records import EMPTY_DETAILS, UndecodableError
from streams.runs import RunCodec, UnknownKindError
from streams.stock_records import (
    BATCHES,
    NOTHING,
    PoolHint,
    decode_details,
    decode_hint,
    decode_totals,
    encode_details,
    encode_hint,
)
from tests.streams.strategies import changes, fitting, instances, repeats, totals

CODEC = RunCodec(CHANGES)
KIND_OF = {cls: kind for kind, cls in CHANGES.items()}


def unpack(value: bytes) -> list:
    return CODEC.unpack(msgspec.msgpack.decode(value, type=list[tuple[int, msgspec.Raw]]))


@given(st.lists(changes, max_size=30))
def test_runs_keep_the_order_and_never_follow_one_of_their_own_kind(items):
    runs = unpack(msgspec.msgpack.encode(CODEC.pack(items)))
    assert [item for run in runs for item in run.items] == items
    assert all(left.kind != right.kind for left, right in pairwise(runs))
    assert all(run.items for run in runs)


def test_a_kind_that_nobody_knows_is_told():
    with pytest.raises(UnknownKindError, match="unknown kind 77"):
        unpack(msgspec.msgpack.encode([(77, [])]))


def test_a_field_of_the_wrong_type_is_not_let_in():
    with pytest.raises(msgspec.ValidationError):
        unpack(msgspec.msgpack.encode([(KIND_OF[Expired], [("text",)])]))


@given(st.lists(repeats, max_size=5), st.lists(changes, max_size=10), st.lists(totals, max_size=5))
def test_details_come_back_as_they_were(again, changed, counted):
    raw = encode_details(again, changed, counted)
    details = decode_details(raw)
    assert (details.repeats, [change for run in details.changes for change in run.items]) == (again, changed)
    assert details.totals == counted == decode_totals(raw)


def test_no_details_are_one_byte_and_decode_to_nothing():
    assert encode_details([], [], []) is EMPTY_DETAILS
    assert bytes(EMPTY_DETAILS) == b"\xc0"
    assert decode_details(EMPTY_DETAILS) == NOTHING
    assert not decode_totals(EMPTY_DETAILS)


@given(st.lists(changes, max_size=10))
def test_a_reader_may_decode_only_the_kinds_it_needs(changed):
    kinds = frozenset({KIND_OF[Granted], KIND_OF[Refused]})
    details = decode_details(encode_details([], changed, [Totals("A", 0, 0, 0, 0, 0, 1)]), kinds)
    found = [change for run in details.changes for change in run.items]
    assert found == [change for change in changed if isinstance(change, Granted | Refused)]


@given(st.lists(fitting(Reserve), min_size=1, max_size=9), st.lists(fitting(Granted), min_size=1), st.data())
def test_columns_of_a_run_are_its_rows_and_so_are_those_that_are_picked(asked, granted, data):
    run = BATCHES.decode(BATCHES.encode(b"L", Role.GATEWAY, "gw", 1, asked)).commands()
    assert isinstance(run, ReserveRun)
    places = data.draw(st.lists(st.integers(0, len(asked) - 1), min_size=1, unique=True))
    assert (run, len(run), run[-1]) == (asked, len(asked), asked[-1])
    assert list(run.only(places)) == [asked[place] for place in places]
    (kept,) = unpack(msgspec.msgpack.encode(CODEC.pack([granted_run(granted)])))
    assert isinstance(kept.items, GrantedRun)
    assert (kept.kind, kept.items) == (KIND_OF[Granted], granted)


def granted_run(rows) -> GrantedRun:
    (run,) = unpack(msgspec.msgpack.encode(CODEC.pack(rows)))
    return run.items


@pytest.mark.parametrize(
    "change",
    [
        {0: bytes(16)},  # a hold too short
        {3: []}, {3: [1, 2]},  # quantities
        {5: [1, 2]},  # moments
        {6: []},  # nothing asked for
        {7: [1]}, {7: [-1]}, {7: [0, 0]},  # numbers that name nothing, or nobody's
        {8: [b"", b""]},
    ],
)  # fmt: skip
def test_columns_that_do_not_fit_together_are_undecodable(change):
    wire = [bytes(17), bytes(8), bytes(8), [1], 0, [0], [("a", -1)], [], []]
    for place, value in change.items():
        wire[place] = value
    value = bytes((1, 2)) + msgspec.msgpack.encode((b"L", 1, "gw", 1, b"", [(51, wire)]))
    with pytest.raises(UndecodableError):
        BATCHES.decode(value)


def test_the_columns_on_the_wire_are_these():
    """A change of it is a new format version."""
    asked = [Reserve(bytes((n,)) * 17, "tee", bytes(8), 1 + n, 1_000 + n, b"f" * 8, -1, b"x" * n) for n in range(2)]
    value = BATCHES.encode(b"L", Role.GATEWAY, "gw", 7, asked)
    assert msgspec.msgpack.decode(value[2:])[5] == [
        [51, [bytes(17) + b"\1" * 17, bytes(16), b"f" * 16, [1, 2], 1_000, [0, 1], [["tee", -1]], [], [b"", b"x"]]]
    ]
    granted = [Granted(n, bytes(17), "ab"[n], bytes(8), 1, 500, "EUR", 99, b"f" * 8, b"") for n in range(2)]
    terms = [["a", 500, "EUR", 99], ["b", 500, "EUR", 99]]
    changes = [*granted, Refused(2, bytes(17), 13, b"f" * 8)]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(CODEC.pack(changes))) == [
        [51, [[0, 1], bytes(34), bytes(16), b"f" * 16, [1, 1], terms, [0, 1], []]],
        [52, [[2], bytes(17), b"f" * 8, bytes((13,))]],
    ]  # fmt: skip


@given(st.binary(max_size=60))
def test_rubbish_is_undecodable_and_nothing_worse(value):
    for decode in (decode_details, decode_totals):
        try:
            decode(msgspec.Raw(value))
        except UndecodableError:
            continue
    try:
        decode_hint(value)
    except UndecodableError:
        return
    pytest.fail("no rubbish is a hint")


@given(instances(PoolHint))
def test_a_hint_comes_back_as_it_was(hint):
    assert decode_hint(encode_hint(hint)) == hint


def test_the_wire_numbers_of_commands_and_changes_are_for_ever():
    assert {kind: cls.__name__ for kind, cls in COMMANDS.items()} == {
        1: "Reserve",
        2: "ReserveAll",
        3: "Commit",
        4: "Release",
        5: "Extend",
        6: "Return",
        7: "Adjust",
        8: "SetPolicy",
        9: "Open",
        10: "Close",
        11: "SetRules",
    }
    assert {kind: cls.__name__ for kind, cls in CHANGES.items()} == {
        1: "Granted",
        2: "Refused",
        3: "Sold",
        4: "Released",
        5: "Expired",
        6: "Extended",
        7: "Returned",
        8: "Adjusted",
        9: "PolicySet",
        10: "Opened",
        11: "Closed",
        12: "RulesSet",
        13: "Answered",
    }
