"""Every reachable state of an order against every event: what is listed happens, everything else changes nothing."""

from pathlib import Path

import pytest

from domain import order
from domain.order_asks import owed
from domain.order_changes import Asks
from domain.order_paying import gone_without
from domain.order_row import Order
from domain.order_table import NONE, TABLE, Rule, find
from domain.orders import Phase
from tests.domain.order_matrix import EVENTS, NAME, explore, table

MATRIX = Path(__file__).with_name("order_matrix.txt")


@pytest.fixture(scope="module")
def fired() -> set[Rule]:
    """The rows of the table that applied while everything was tried."""
    return set()


@pytest.fixture(scope="module")
def found(fired):
    def watched(*arguments):
        rule = find(*arguments)
        fired.add(rule)
        return rule

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "find", watched)
        return list(explore())


def test_what_every_event_does_in_every_state_is_what_is_written_down(found):
    cells = {(state, event): cell for state, event, cell, _ in found}
    assert table(cells).splitlines() == MATRIX.read_text().splitlines()


def test_the_matrix_is_whole(found):
    states = {state for state, *_ in found}
    assert len(found) == len(states) * len(EVENTS)
    phases = {state.split("(")[0].split(" ")[0] for state in states}
    assert phases == {phase.name for phase in Phase} | {NONE}


def test_what_is_not_listed_leaves_the_state_untouched(found):
    untouched = 0
    for state, event, cell, partition in found:
        partition.verify()
        if not partition.changes():
            assert cell.after == state, (state, event)
            untouched += 1
    assert untouched > len(found) / 2


def test_every_state_that_is_not_a_rest_has_a_way_out(found):
    ways = {}
    for state, _, cell, _ in found:
        ways.setdefault(state, set()).add(cell.after)
    at_rest = {state for state, afters in ways.items() if afters == {state}}
    assert {state.split("(")[0] for state in at_rest} == {"REJECTED", "EXPIRED", "CANCELLED", "REFUNDED"}


def test_whoever_waits_is_owed_something_or_has_a_deadline(found):
    resting = {Phase.CONFIRMED, Phase.SHIPPED, Phase.DELIVERED}
    for _, _, cell, partition in found:
        row = partition.get(NAME)
        if isinstance(row, Order) and row.phase not in resting:
            assert owed(row) != Asks() or row.deadline_ms, cell


def test_every_row_of_the_table_applies_somewhere(found, fired):
    """One line has no siblings: the row for a partial order's line that is gone is in test_order_payment.py."""
    assert found
    assert [rule for rule in TABLE if rule not in fired] == [rule for rule in TABLE if rule.step is gone_without]
