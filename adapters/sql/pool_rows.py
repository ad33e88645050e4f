"""The inventory table's rows from facts of stock: the last totals of each pool, and its price where it was set."""

from collections.abc import Iterable
from typing import NamedTuple

from domain.stock import CHANGES, PolicySet
from streams.records import Decided
from streams.stock_records import decode_details

_POLICY = frozenset(kind for kind, change in CHANGES.items() if change is PolicySet)


class Pool(NamedTuple):
    """Counters of a pool as columns of the inventory table."""

    product_id: str
    available: int
    reserved: int
    sold: int
    written_off: int
    received: int
    version: int
    updated_at: int


class Price(NamedTuple):
    """What a pool's policy says, as columns of the inventory table. A policy comes before the first unit does."""

    product_id: str
    price: int
    currency: str
    policy_version: int
    updated_at: int


class Pools(NamedTuple):
    """What some facts say last of each pool, by SKU."""

    counters: dict[str, Pool]
    prices: dict[str, Price]

    def take(self, decided: Decided) -> None:
        """Fold an accepted decision of the stock ledger. UndecodableError."""
        details = decode_details(decided.details, _POLICY)
        for run in details.changes:
            for change in run.items:
                if isinstance(change, PolicySet):
                    price = Price(change.sku, change.price, change.currency, change.version, decided.clk)
                    self.prices[change.sku] = price
        for totals in details.totals:
            self.counters[totals.sku] = Pool(
                product_id=totals.sku,
                available=totals.available,
                reserved=totals.held,
                sold=totals.sold,
                written_off=totals.written_off,
                received=totals.received,
                version=totals.sequence,
                updated_at=decided.clk,
            )


def pools_of(decisions: Iterable[Decided]) -> Pools:
    """All that decisions of one partition say, in order. UndecodableError."""
    pools = Pools({}, {})
    for decided in decisions:
        pools.take(decided)
    return pools
