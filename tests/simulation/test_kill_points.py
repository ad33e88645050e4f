"""Kill -9 before and after every append, ack and call of every process, once and twice: the end is the same."""

from functools import cache

import pytest

from tests.simulation.audited import audited
from tests.simulation.errand import KilledOnce

APPENDS = {
    "owner": ("stock.commands", "stock.ledger", "stock.events", "order.commands", "order.ledger", "order.events"),
    "gateway": ("stock.commands", "order.commands"),
    "relay": ("stock.commands", "order.commands"),
    "payment": ("order.commands",),
    "compensation": ("order.commands",),
    "confirmation": ("order.commands",),
}
CALLS = {
    "payment": ("create for authorise", "retrieve for authorise", "capture for capture", "retrieve for look"),
    "compensation": ("cancel for void", "refund for refund", "retrieve for orphan"),
    "confirmation": ("booking",),
}
POINTS = [
    *(
        f"{who}, {topic}: {moment}"
        for who, topics in APPENDS.items()
        for topic in topics
        for moment in ("before an append", "appended", "acked")
    ),
    *(f"{who}, {moment} a {call}" for who, calls in CALLS.items() for call in calls for moment in ("before", "after")),
]


@cache
def undisturbed() -> KilledOnce:
    world = KilledOnce()
    world.run()
    return world


def test_every_point_is_reached_and_every_one_that_is_stands_here():
    reached = {point for point in undisturbed().points if not point.startswith("operator")}
    assert reached == set(POINTS)
    assert len(POINTS) >= 20


def test_every_fate_is_among_the_orders():
    phases = {order[0].value for order in undisturbed().picture()["orders"].values()}
    assert phases >= {"confirmed", "shipped", "refunded", "cancelled", "expired", "rejected"}


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize("point", POINTS)
def test_whoever_is_killed_wherever_the_end_is_the_same(point, times):
    middle = -(-undisturbed().points[point] // 2)
    world = KilledOnce(point, middle, times)
    world.run()
    assert world.counts["crashes"] >= times
    assert world.picture() == undisturbed().picture()
    assert not audited(world).counts
