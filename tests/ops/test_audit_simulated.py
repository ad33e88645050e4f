"""The auditor on simulated worlds: owners, zombies, takeovers, cut networks and rulings, all in one log."""

from collections import Counter

import pytest

from ops.audit.violations import Kind
from tests.simulation.audited import audited
from tests.simulation.journey import Journey
from tests.simulation.journey_mutation import JourneyMutation
from tests.simulation.mutation import Mutation
from tests.simulation.world import World

SEEDS = 60
JOURNEYS = 25
OF_CLONES = {Kind.DUPLICATE, Kind.PUBLISHED, Kind.NONCE, Kind.DIVERGENT}


@pytest.mark.slow
def test_no_fault_of_the_simulator_is_a_violation_but_a_copied_process_is():
    """A nonce belongs to one incarnation: only whoever copies an owner's process breaks that, and is seen to."""
    counts: Counter[str] = Counter()
    seen: set[Kind] = set()
    for seed in range(SEEDS):
        world = World(seed, Mutation()).run()
        report = audited(world)
        allowed = OF_CLONES if world.counts["clones"] else set()
        assert set(report.counts) <= allowed, f"seed {seed}: {report.violations[:3]}"
        assert report.undecided == 0
        seen |= set(report.counts)
        for figures in report.partitions:
            counts.update(figures._asdict() | {"digest": 0})
    assert Kind.DUPLICATE in seen
    for fate in ("claims", "lost_claims", "stale", "duplicates", "rulings"):
        assert counts[fate] > 0, fate


@pytest.mark.slow
def test_no_fault_of_a_journey_is_a_violation_either():
    """Orders, goods and the provider's book, as the auditor reads them."""
    captured = refunded = 0
    for seed in range(JOURNEYS):
        world = Journey(seed, JourneyMutation())
        world.run()
        report = audited(world)
        allowed = OF_CLONES if world.counts["clones"] else set()
        assert set(report.counts) <= allowed, f"seed {seed}: {report.violations[:3]}"
        captured += report.orders.captured
        refunded += report.orders.refunded
    assert captured > refunded > 0
