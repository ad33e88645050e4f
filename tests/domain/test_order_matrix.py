"""Every reachable state of an order against every event: what is listed happens, everything else changes nothing."""

from itertools import pairwise
from pathlib import Path

import pytest

from domain import order
from domain.order_asks import owed
from domain.order_changes import Asks
from domain.order_paying import gone_without
from domain.order_row import Order
from domain.order_table import NONE, TABLE, Rule, find
from domain.orders import Phase, Public
from tests.domain.order_matrix import EVENTS, NAME, explore, table
from tests.domain.order_scenario import step
from tests.properties.order_partition import OrderPartition

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


PUBLIC = """
 nothing          CREATED CANCELLED
 CREATED          RESERVED REJECTED EXPIRED CANCELLED
 RESERVED         PAYMENT_PENDING EXPIRED CANCELLED
 PAYMENT_PENDING  PAID EXPIRED CANCELLED REFUND_PENDING
 PAID             CONFIRMED REFUND_PENDING
 CONFIRMED        SHIPPED REFUND_PENDING
 SHIPPED          DELIVERED REFUND_PENDING
 DELIVERED        REFUND_PENDING
 REFUND_PENDING   SHIPPED DELIVERED REFUNDED
"""


def test_clients_see_these_transitions_and_no_others(found):
    ways = {}
    created = ([(0, "cancel o1 ann"), (0, "released o1/1")], [(300_000, "tick"), (0, "released o1/1")])
    for texts in created:  # states that look like those of an order that was born
        partition = OrderPartition()
        for after_ms, text in [(0, EVENTS["placed"]), *texts]:
            step(partition, after_ms, text)
        found = [*found, ("", "", None, partition)]
    for _, _, _, partition in found:
        changed = [event for event in partition.events() if event.kind == "changed"]
        for event in changed:
            ways.setdefault(event.came_from or "nothing", set()).add(event.to)
        for before, after in pairwise(changed):
            assert (after.came_from, after.sequence) == (before.to, before.sequence + 1)
    expected = {before: set(afters) for before, *afters in map(str.split, PUBLIC.strip().splitlines())}
    assert ways == expected
    assert set().union(*ways.values()) == set(Public)
