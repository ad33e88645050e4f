"""Pools as a gateway sees them: policy and totals at some ledger offset. A view, as old as `as_of_ms` says."""

import msgspec

from domain.pool import Phase
from domain.stock import Closed, Opened, PolicySet, Totals
from streams.stock_records import PoolHint

FEW = 10
"""A customer is told "few" from here on down: enough to hurry, not enough to count others' purchases by."""


class PoolView(msgspec.Struct):
    """`ledger_offset` -1: nothing but totals was seen yet, no policy: the pool is not shown."""

    sku: str
    ledger_offset: int = -1
    as_of_ms: int = 0
    version: int = 0
    phase: int = Phase.NOT_OPEN
    price: int = 0
    currency: str = ""
    limit: int = 0
    hold_ms: int = 0
    customer_key: str = ""
    received: int = 0
    available: int = 0
    held: int = 0
    sold: int = 0
    written_off: int = 0
    sequence: int = 0

    @property
    def availability(self) -> str:
        """What a customer may know: many, few, all-held (some may come back) or sold-out."""
        if self.available > FEW:
            return "many"
        if self.available:
            return "few"
        return "all-held" if self.held else "sold-out"


class Pools:
    """All pools of all partitions. A SKU lives in one partition, so its ledger offsets are of one ledger."""

    def __init__(self) -> None:
        self._pools: dict[str, PoolView] = {}

    def get(self, sku: str) -> PoolView | None:
        """The pool, None while its policy is not known (it does not exist, or was made a moment ago)."""
        pool = self._pools.get(sku)
        return pool if pool is not None and pool.version else None

    def __len__(self) -> int:
        return len(self._pools)

    def hint(self, hint: PoolHint) -> None:
        """A record of stock.pools; the highest ledger offset counts."""
        known = self._pools.get(hint.sku)
        if known is None or hint.ledger_offset > known.ledger_offset:
            self._pools[hint.sku] = PoolView(*hint)

    def change(self, ledger_offset: int, change: PolicySet | Opened | Closed) -> None:
        """A change of policy in an accepted record. Its totals follow, and move `ledger_offset` on."""
        pool = self._at(change.sku, ledger_offset)
        if pool is None:
            return
        pool.version = change.version
        if isinstance(change, PolicySet):
            pool.price = change.price
            pool.currency = change.currency
            pool.limit = change.limit
            pool.hold_ms = change.hold_ms
            pool.customer_key = change.customer_key
        else:
            pool.phase = Phase.OPEN if isinstance(change, Opened) else Phase.CLOSED

    def count(self, ledger_offset: int, as_of_ms: int, totals: Totals) -> None:
        """The totals of an accepted record."""
        pool = self._at(totals.sku, ledger_offset)
        if pool is None:
            return
        pool.ledger_offset = ledger_offset
        pool.as_of_ms = as_of_ms
        _, pool.received, pool.available, pool.held, pool.sold, pool.written_off, pool.sequence = totals

    def _at(self, sku: str, ledger_offset: int) -> PoolView | None:
        """The pool, if this record is news for it; a new one if the SKU is not known."""
        pool = self._pools.get(sku)
        if pool is None:
            pool = self._pools[sku] = PoolView(sku)
        return pool if ledger_offset > pool.ledger_offset else None
