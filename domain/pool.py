"""A pool: the units of one SKU, and the policy that they are sold under."""

from enum import IntEnum
from typing import NamedTuple

from domain.expiry import PoolDeadlines
from domain.outcomes import InvariantViolatedError
from domain.stock import Totals

_new = tuple.__new__
"""A NamedTuple's own constructor is a Python function and takes twice the time."""


class Phase(IntEnum):
    """Codes of PoolHint.phase."""

    NOT_OPEN = 0
    OPEN = 1
    CLOSED = 2


class Policy(NamedTuple):
    """What SetPolicy sets; money in minor units of `currency`, `limit` in units per customer."""

    price: int
    currency: str
    limit: int
    hold_ms: int
    customer_key: str


class Adjustment(NamedTuple):
    """What came of an Adjust, kept for good by its reference. Asked were `delta - shortfall` units."""

    delta: int
    shortfall: int


class Pool:
    """Counters obey received = available + held + sold + written_off, all >= 0, after every record.

    Negative adjustments lower `received`; a return that is not restocked moves units from sold to written_off. `key`
    is the pool's number in its partition, 4 bytes. `terms` is the number of what the next grant is granted under.
    `touched_at` is the last src that changed it. `adjustments` grows by one small entry an Adjust, an operator's act,
    and is never pruned: a repeated restock must change nothing for ever.
    """

    __slots__ = (
        "adjustments",
        "available",
        "deadlines",
        "held",
        "key",
        "phase",
        "policy",
        "received",
        "sequence",
        "sku",
        "sold",
        "terms",
        "touched_at",
        "version",
        "written_off",
    )

    def __init__(self, number: int, sku: str, policy: Policy, terms: int) -> None:
        self.key = number.to_bytes(4, "big")
        self.sku = sku
        self.policy = policy
        self.terms = terms
        self.version = 1
        self.phase = Phase.NOT_OPEN
        self.received = 0
        self.available = 0
        self.held = 0
        self.sold = 0
        self.written_off = 0
        self.sequence = 0
        self.touched_at = -1
        self.adjustments: dict[str, Adjustment] = {}
        self.deadlines = PoolDeadlines()

    def totals(self) -> Totals:
        """The counters as the ledger has them."""
        counters = self.sku, self.received, self.available, self.held, self.sold, self.written_off, self.sequence
        return _new(Totals, counters)

    def check(self) -> Totals:
        """The counters, if they are conserved; InvariantViolatedError if not."""
        totals = self.totals()
        if not conserved(totals):
            message = f"pool {self.sku!r} breaks conservation: {totals}"
            raise InvariantViolatedError(message)
        return totals


def conserved(totals: Totals) -> bool:
    """Whether received = available + held + sold + written_off, and none of them negative."""
    _, received, available, held, sold, written_off, _ = totals
    return (
        received == available + held + sold + written_off
        and available >= 0
        and held >= 0
        and sold >= 0
        and written_off >= 0
    )


class Terms(NamedTuple):
    """What a hold was granted under: frozen in the grant, whatever the policy becomes."""

    pool: Pool
    price: int
    currency: str
    hold_ms: int
