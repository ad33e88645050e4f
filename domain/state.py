"""The state of one partition's inventory: what `decide` reads and `evolve` changes, nothing else does either."""

from collections.abc import Mapping

from domain.expiry import Deadlines, Endings
from domain.outcomes import InvariantViolatedError
from domain.pool import Pool, Terms
from domain.refusals import Refusals
from domain.reservation import Counts, Rows
from domain.rules import FIRST_RULES, Rules


class Inventory:
    """All pools and reservations of a partition after some record.

    `terms[number - 1]` is what a row's `terms` stands for; one entry a change of price, currency or hold time.
    `returns` has the references of returns, only for rows that have any. `tombstones` counts, by customer, the rows
    that a Release made before anything was granted. `touched`: pools that the record in hand changed, in order.
    """

    __slots__ = (
        "clk",
        "counts",
        "deadlines",
        "endings",
        "pools",
        "refusals",
        "returns",
        "rows",
        "rules",
        "rules_by_version",
        "rules_version",
        "src",
        "terms",
        "tombstone_count",
        "tombstones",
        "touched",
    )

    def __init__(self, rows: Rows, counts: Counts, refusals: Refusals, rules: Mapping[int, Rules]) -> None:
        self.rows = rows
        self.counts = counts
        self.refusals = refusals
        self.rules_by_version = rules
        self.rules_version = FIRST_RULES
        self.rules = rules[FIRST_RULES]
        self.pools: dict[str, Pool] = {}
        self.terms: list[Terms] = []
        self.deadlines = Deadlines()
        self.endings = Endings()
        self.returns: dict[bytes, dict[int, tuple[int, bool]]] = {}
        self.tombstones: dict[bytes, int] = {}
        self.tombstone_count = 0
        self.touched: list[Pool] = []
        self.src = 0
        self.clk = 0

    def pool(self, sku: str) -> Pool:
        """A pool that an accepted change names; InvariantViolatedError if there is none."""
        pool = self.pools.get(sku)
        if pool is None:
            message = f"no pool {sku!r}"
            raise InvariantViolatedError(message)
        return pool

    def touch(self, pool: Pool) -> None:
        """This record changes `pool`: its totals will stand in it."""
        if pool.touched_at != self.src:
            pool.touched_at = self.src
            self.touched.append(pool)
