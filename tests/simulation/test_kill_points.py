"""Kill -9 before and after every append, ack and call of every process, once and twice: the end is the same."""

import os
from functools import cache
from multiprocessing import get_context

import pytest

from tests.simulation.audited import audited
from tests.simulation.errand import KilledOnce
from tests.simulation.program import NICE

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


def end(case: tuple[str, int, int]) -> tuple[int, dict, set]:
    """How often somebody was killed, what it came to, and what the auditor says of it."""
    world = KilledOnce(*case)
    world.run()
    return world.counts["crashes"], world.picture(), set(audited(world).counts)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whoever_is_killed_wherever_once_or_twice_the_end_is_the_same():
    wanted = undisturbed()
    cases = [(point, -(-wanted.points[point] // 2), times) for point in POINTS for times in (1, 2)]
    twice = 0
    with get_context("spawn").Pool(os.cpu_count(), os.nice, (NICE,)) as pool:
        for case, (crashes, picture, violations) in zip(cases, pool.imap(end, cases, 4), strict=True):
            assert 1 <= crashes <= case[2], case
            twice += crashes == 2
            assert picture == wanted.picture(), case
            assert not violations, case
    assert twice >= len(POINTS) - 6  # a hint that is lost is not asked for again


@pytest.mark.parametrize("when_ms", [500, 900, 1300])
def test_everybody_is_killed_at_once_and_the_end_is_the_same(when_ms):
    world = KilledOnce()
    for process in (*world.workers, *world.gateways, *world.agents):
        world.at(when_ms, process.crash, 150)
    world.run()
    assert world.counts["crashes"] == len(world.workers) + len(world.gateways) + len(world.agents)
    assert world.picture() == undisturbed().picture()
    assert not audited(world).counts
