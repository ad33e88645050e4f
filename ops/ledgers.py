"""What the operator's commands need to know of each ledger: its fold, and how its facts are published."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from streams.fold import Fold
from streams.order_events import Headers, source_of
from streams.order_publication import records_of
from streams.topics import Ledger
from tables.orders import OrderFold
from tables.stock import StockFold


class Kind(NamedTuple):
    """`records`: of a partition's fact."""

    fold: Fold[Any]
    records: Callable[[int, bytes], Sequence[tuple[bytes | None, bytes, Headers]]]


def kind_of(ledger: Ledger, namespace: str) -> Kind:
    """Of one ledger; the fold has no state yet."""
    if ledger is Ledger.STOCK:
        return Kind(StockFold(), lambda _, fact: [(None, fact, [])])
    return Kind(OrderFold(), partial(records_of, source_of(namespace)))
