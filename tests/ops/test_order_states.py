"""The page of the order's states says what the fold does."""

import re

import pytest

from domain.order_table import NONE, TABLE
from domain.orders import Phase, Public
from ops.order_states import diagram, edges, rows
from tests.domain.test_order_matrix import MATRIX
from tests.source import ROOT

NOT_OF_ONE_LINE = {
    (Phase.CREATED, Phase.UNDO),
    (Phase.UNDO, Phase.REJECTED),
    (Phase.EARLY, Phase.CREATED),
    (Phase.EARLY, Phase.PENDING),
}
"""Refused lines beside held ones, and a stranger's early cancel: tests/domain/test_order_start.py."""


@pytest.fixture(scope="module")
def seen() -> set[tuple[str, str]]:
    """The ways that tests/domain/test_order_matrix.py finds."""

    def phase(state: str) -> str:
        name = re.split(r"[( ]", state, maxsplit=1)[0]
        return name if name == NONE else Phase[name]

    head, *lines = MATRIX.read_text("utf-8").splitlines()
    state, after = head.index("state"), head.index("state after")
    return {(phase(line[state:]), phase(line[after:])) for line in lines}


def test_the_diagram_has_the_ways_that_orders_take_and_no_others(seen):
    drawn = {(before, after) for before, after, _ in edges()}
    assert {edge for edge in seen if edge[0] != edge[1]} <= drawn
    assert drawn - seen <= NOT_OF_ONE_LINE


def test_every_final_phase_ends_and_every_row_is_written_down():
    text = diagram()
    assert text.count("--> [*]") == 4
    assert len(list(rows())) == len(TABLE)


def test_the_journey_page_has_other_systems_names_for_every_state():
    page = (ROOT / "docs/journey.md").read_text("utf-8")
    lines = page.split("## Other names for these states")[1].splitlines()
    mapping = [[cell.strip() for cell in line.strip("| ").split("|")] for line in lines if line.startswith("| ")][1:]
    assert sorted(state for row in mapping for state in row[0].split(", ")) == sorted(Public)
    assert all(len(row) == 5 and all(row) for row in mapping)
    theirs = {name.strip(",") for row in mapping for cell in row[1:] for name in cell.split()}
    assert theirs >= {"registered", "paid", "reserved", "fulfilled", "refunded", "synced", "INVENTORY_RESERVED"}
    assert theirs >= {
        "created",
        "confirmed",
        "shipped",
        "delivered",
        "cancelled",
        "refund_pending",
        "PENDING",
        "FAILED",
    }
