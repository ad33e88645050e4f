"""The auditor on simulated worlds: owners, zombies, takeovers, cut networks and rulings, all in one log."""

from collections import Counter

from ops.audit.partition import Options
from ops.audit.report import Report
from ops.audit.source import Entry, MemorySource, Stream
from ops.audit.verify import audit
from ops.audit.violations import Kind
from tests.simulation.mutation import Mutation
from tests.simulation.world import World

SEEDS = 60
OF_CLONES = {Kind.DUPLICATE, Kind.PUBLISHED, Kind.NONCE, Kind.DIVERGENT}


def audited(world: World) -> Report:
    entries = {}
    for part in world.stock:
        for stream, log in ((Stream.LEDGER, part.ledger), (Stream.COMMANDS, part.commands)):
            records = [Entry(offset, *record) for offset, record in enumerate(log.records)]
            entries[stream, log.partition] = records[log.start :]
    return audit(MemorySource(len(world.stock), entries), options=Options(replay=True))


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
