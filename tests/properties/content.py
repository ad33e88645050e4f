"""What a stock state says, whatever its tables look like inside: for comparing states, and for checking one."""

from domain.pool import Pool
from domain.reservation import ENDED, NO_TERMS, RowState
from domain.state import Inventory


def pool_content(pool: Pool) -> tuple:
    return (
        pool.totals(),
        pool.version,
        int(pool.phase),
        tuple(pool.policy),
        pool.terms,
        sorted(pool.adjustments.items()),
        dict(pool.deadlines.live),
    )


def content(state: Inventory) -> dict:
    return {
        "clk": state.clk,
        "src": state.src,
        "rules": state.rules_version,
        "pools": {sku: pool_content(pool) for sku, pool in state.pools.items()},
        "terms": [(terms.pool.sku, *terms[1:]) for terms in state.terms],
        "rows": sorted(state.rows),
        "counts": sorted(state.counts),
        "refusals": sorted(state.refusals),
        "returns": {hold: dict(seen) for hold, seen in state.returns.items()},
        "tombstones": (state.tombstone_count, dict(state.tombstones)),
        "due": state.deadlines.next_ms(),
    }


def check(state: Inventory) -> None:
    """Everything that is said twice in a state says the same."""
    held: dict[tuple[str, int], int] = {}
    sums: dict[str, list[int]] = {sku: [0, 0] for sku in state.pools}
    counts: dict[tuple[bytes, bytes], list[int]] = {}
    tombstones: dict[bytes, int] = {}
    for row in state.rows:
        if row.terms == NO_TERMS:
            assert row.state == RowState.RELEASED
            tombstones[row.customer] = tombstones.get(row.customer, 0) + 1
            continue
        pool = state.terms[row.terms - 1].pool
        left = row.quantity - row.returned
        assert left >= 0
        assert row.state in ENDED or left > 0
        if row.state == RowState.HELD:
            held[pool.sku, row.moment_ms] = held.get((pool.sku, row.moment_ms), 0) + 1
        if row.state in {RowState.HELD, RowState.SOLD}:
            place = int(row.state == RowState.SOLD)
            sums[pool.sku][place] += left
            counts.setdefault((row.customer, pool.key), [0, 0])[place] += left
    for sku, pool in state.pools.items():
        pool.check()
        assert [pool.held, pool.sold] == sums[sku]
    assert {(c, key): [h, s] for c, key, h, s in state.counts} == counts
    buckets = {(sku, at): live for sku, pool in state.pools.items() for at, live, _ in pool.deadlines.entries()}
    assert buckets == held
    assert state.deadlines.next_ms() == min((at for _, at in held), default=None)
    assert state.tombstone_count == sum(tombstones.values())
    assert state.tombstones == {customer: count for customer, count in tombstones.items() if customer}
