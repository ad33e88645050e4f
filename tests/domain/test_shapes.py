"""What is not of a command's shape is malformed, whoever sends it and whatever the state; what is just of it passes."""

import pytest

from domain.roles import Role
from domain.shapes import WELL_FORMED
from domain.stock import (
    COMMANDS,
    Adjust,
    Close,
    Commit,
    Extend,
    Line,
    Open,
    Release,
    Reserve,
    ReserveAll,
    Return,
    SetPolicy,
    SetRules,
)
from tests.properties.partition import Partition

HOLD = bytes(17)
LATEST = 1_000_000 + 900_000
GOOD = {
    Reserve: Reserve(HOLD, "tee", bytes(8), 1, LATEST, bytes(8)),
    ReserveAll: ReserveAll(bytes(16), bytes(8), False, LATEST, bytes(8), (Line(0, "tee", 1), Line(1, "mug", 1))),
    Commit: Commit(HOLD, bytes(8)),
    Release: Release(HOLD, bytes(8)),
    Extend: Extend(HOLD, 1),
    Return: Return(HOLD, 0, 1, restock=True),
    Adjust: Adjust("tee", 1, "r", ""),
    SetPolicy: SetPolicy("tee", 0, 0, "EUR", 1, 1, ""),
    Open: Open("tee", 1),
    Close: Close("tee", 1),
    SetRules: SetRules(1),
}
LONG = "x" * 65
EDGES = [
    (Reserve, "hold", bytes(16), HOLD),
    (Reserve, "hold", bytes(18), HOLD),
    (Reserve, "sku", "", "x"),
    (Reserve, "sku", LONG, "ü" * 64),
    (Reserve, "customer", bytes(7), bytes(8)),
    (Reserve, "quantity", 0, 1),
    (Reserve, "quantity", -1, 1),
    (Reserve, "quantity", 65_536, 65_535),
    (Reserve, "not_after_ms", LATEST + 1, LATEST),
    (Reserve, "not_after_ms", -1, 0),
    (Reserve, "fingerprint", bytes(9), bytes(8)),
    (Reserve, "max_price", -2, -1),
    (Reserve, "max_price", 10**15 + 1, 10**15),
    (Reserve, "carried", bytes(1_025), bytes(1_024)),
    (ReserveAll, "order", bytes(17), bytes(16)),
    (ReserveAll, "customer", b"", bytes(8)),
    (ReserveAll, "not_after_ms", LATEST + 1, LATEST),
    (ReserveAll, "not_after_ms", -1, 0),
    (ReserveAll, "fingerprint", b"", bytes(8)),
    (ReserveAll, "carried", bytes(1_025), bytes(1_024)),
    (ReserveAll, "lines", (), (Line(255, "x", 1),)),
    (ReserveAll, "lines", (Line(256, "x", 1),), (Line(255, "x", 65_535),)),
    (ReserveAll, "lines", (Line(-1, "x", 1),), (Line(0, "x", 1, 0),)),
    (ReserveAll, "lines", (Line(0, "x", 1), Line(0, "y", 1)), (Line(0, "x", 1), Line(1, "y", 1))),
    (ReserveAll, "lines", (Line(0, "x", 1), Line(1, "x", 1)), (Line(0, "x", 1), Line(1, "y", 1))),
    (ReserveAll, "lines", (Line(0, "", 1),), (Line(0, "x", 1),)),
    (ReserveAll, "lines", (Line(0, LONG, 1),), (Line(0, LONG[1:], 1),)),
    (ReserveAll, "lines", (Line(0, "x", 0),), (Line(0, "x", 1),)),
    (ReserveAll, "lines", (Line(0, "x", 65_536),), (Line(0, "x", 65_535),)),
    (ReserveAll, "lines", (Line(0, "x", 1, -2),), (Line(0, "x", 1, -1),)),
    (
        ReserveAll,
        "lines",
        tuple(Line(number, str(number), 1) for number in range(65)),
        tuple(Line(number, str(number), 1) for number in range(64)),
    ),
    (Commit, "hold", b"", HOLD),
    (Commit, "customer", bytes(7), bytes(8)),
    (Release, "hold", bytes(18), HOLD),
    (Release, "customer", bytes(9), bytes(8)),
    (Extend, "hold", bytes(16), HOLD),
    (Extend, "until_ms", -1, 0),
    (Extend, "until_ms", 1 << 48, (1 << 48) - 1),
    (Return, "hold", bytes(16), HOLD),
    (Return, "reference", -1, 0),
    (Return, "quantity", 0, 65_535),
    (Return, "quantity", 65_536, 65_535),
    (Adjust, "sku", "", "x"),
    (Adjust, "sku", LONG, "x"),
    (Adjust, "delta", 0, -1),
    (Adjust, "delta", (1 << 31) + 1, 1 << 31),
    (Adjust, "delta", -(1 << 31) - 1, -(1 << 31)),
    (Adjust, "reference", "", "x"),
    (Adjust, "reference", LONG, "x" * 64),
    (Adjust, "reason", "x" * 257, "x" * 256),
    (SetPolicy, "sku", "", "x"),
    (SetPolicy, "version", -1, 0),
    (SetPolicy, "price", -1, 0),
    (SetPolicy, "price", 10**15 + 1, 10**15),
    (SetPolicy, "currency", "eur", "EUR"),
    (SetPolicy, "currency", "EU", "USD"),
    (SetPolicy, "currency", "EU1", "JPY"),
    (SetPolicy, "currency", "ÄÖÜ", "GBP"),
    (SetPolicy, "limit", 0, 1),
    (SetPolicy, "limit", 65_536, 65_535),
    (SetPolicy, "hold_ms", 0, 1),
    (SetPolicy, "hold_ms", 900_001, 900_000),
    (SetPolicy, "customer_key", LONG, "x" * 64),
    (Open, "sku", LONG, "x"),
    (Open, "version", 0, 1),
    (Close, "sku", "", "x"),
    (Close, "version", -1, 1),
    (SetRules, "version", 0, 1),
]


@pytest.mark.parametrize(("kind", "field", "bad", "good"), EDGES)
def test_edge_of_a_shape(kind, field, bad, good):
    partition = Partition()
    command = GOOD[kind]
    answers = partition.record(command._replace(**{field: bad}), role=Role.ORDER)
    assert answers == ["malformed"]
    assert not partition.changes()
    assert partition.record(command._replace(**{field: good}), role=Role.ORDER) != ["malformed"]


def test_every_command_has_a_shape_and_every_field_that_is_not_a_flag_an_edge():
    assert set(WELL_FORMED) == set(COMMANDS.values()) == set(GOOD)
    edged = {(kind, field) for kind, field, _, _ in EDGES}
    flags = {(ReserveAll, "partial"), (Return, "restock")}
    assert edged | flags == {(kind, field) for kind, command in GOOD.items() for field in command._fields}


@pytest.mark.parametrize("role", [Role.ORDER, Role.OPS])
def test_who_settles_a_hold_need_not_name_the_customer(role):
    assert Partition().record(Commit(HOLD), Release(HOLD), role=role) == ["gone", "released"]


def test_malformed_comes_before_forbidden():
    partition = Partition()
    reserve = GOOD[Reserve]
    assert partition.record(reserve, role=Role.OPS) == ["forbidden"]
    assert partition.record(reserve._replace(quantity=0), role=Role.OPS) == ["malformed"]
