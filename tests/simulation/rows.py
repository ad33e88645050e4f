"""A plain model of reservation rows and counters, fed with changes alone: what the totals must agree with."""

from dataclasses import dataclass
from typing import Any

from domain.stock import (
    Adjusted,
    Expired,
    Extended,
    Granted,
    Released,
    Returned,
    Sold,
    Totals,
)


class RowsViolatedError(Exception):
    """A change that no honest history has."""


@dataclass(slots=True)
class Row:
    sku: str
    customer: bytes
    quantity: int
    deadline_ms: int
    state: str = "held"
    returned: int = 0

    @property
    def left(self) -> int:
        return self.quantity - self.returned


@dataclass(slots=True)
class Counters:
    received: int = 0
    held: int = 0
    sold: int = 0
    written_off: int = 0
    sequence: int = 0


class Rows:
    """One partition's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.rows: dict[bytes, Row] = {}
        self.pools: dict[str, Counters] = {}
        self._customers: dict[tuple[str, bytes], int] = {}

    def fold(self, clk: int, changes: list[Any], totals: list[Totals]) -> None:
        """The changes of one record, in order; then its totals."""
        for change in changes:
            step = _STEPS.get(type(change))
            if step:
                step(self, change, clk)
        for total in totals:
            self._check(total)

    def _check(self, total: Totals) -> None:
        pool = self.pools.setdefault(total.sku, Counters())
        pool.sequence += 1
        available = pool.received - pool.held - pool.sold - pool.written_off
        mine = (pool.received, available, pool.held, pool.sold, pool.written_off, pool.sequence)
        if mine != tuple(total[1:]):
            raise RowsViolatedError(f"rows say {mine}, the record says {total}")
        if available < 0:
            raise RowsViolatedError(f"oversold: {total}")

    def _row(self, change: Any, *states: str) -> Row:
        row = self.rows.get(change.hold)
        if row is None or row.state not in states:
            raise RowsViolatedError(f"{change} of {row}")
        return row

    def _count(self, row: Row, units: int) -> None:
        key = (row.sku, row.customer)
        count = self._customers.get(key, 0) + units
        if not 0 <= count <= self._limit:
            raise RowsViolatedError(f"{count} units of {row.sku} with one customer, limit {self._limit}")
        self._customers[key] = count

    def _granted(self, change: Granted, _: int) -> None:
        if change.hold in self.rows:
            raise RowsViolatedError(f"{change.hold.hex()} granted twice")
        row = self.rows[change.hold] = Row(change.sku, change.customer, change.quantity, change.deadline_ms)
        self.pools[row.sku].held += row.quantity
        self._count(row, row.quantity)
        self._not_over(row.sku)

    def _not_over(self, sku: str) -> None:
        pool = self.pools[sku]
        if pool.held + pool.sold + pool.written_off > pool.received:
            raise RowsViolatedError(f"oversold {sku}: {pool}")

    def _sold(self, change: Sold, _: int) -> None:
        row = self._row(change, "held", "expired")
        if row.state == "held":
            self.pools[row.sku].held -= row.quantity
        else:
            self._count(row, row.quantity)
        self.pools[row.sku].sold += row.quantity
        row.state = "sold"
        self._not_over(row.sku)

    def _released(self, change: Released, _: int) -> None:
        if change.hold not in self.rows:
            self.rows[change.hold] = Row("", change.customer, 0, 0, "released")
            return
        row = self._row(change, "held", "sold", "expired")
        pool = self.pools[row.sku]
        if row.state == "held":
            pool.held -= row.quantity
        elif row.state == "sold":
            pool.sold -= row.left
        if row.state != "expired":
            self._count(row, -row.left)
        row.state = "released"

    def _expired(self, change: Expired, clk: int) -> None:
        row = self._row(change, "held")
        if clk < row.deadline_ms:
            raise RowsViolatedError(f"expired at {clk}, before {row}")
        self.pools[row.sku].held -= row.quantity
        self._count(row, -row.quantity)
        row.state = "expired"

    def _extended(self, change: Extended, _: int) -> None:
        self._row(change, "held").deadline_ms = change.deadline_ms

    def _returned(self, change: Returned, _: int) -> None:
        row = self._row(change, "sold")
        pool = self.pools[row.sku]
        row.returned += change.quantity
        pool.sold -= change.quantity
        if not change.restock:
            pool.written_off += change.quantity
        self._count(row, -change.quantity)
        if row.left == 0:
            row.state = "returned"
        elif row.left < 0:
            raise RowsViolatedError(f"{change}: more than was sold")

    def _adjusted(self, change: Adjusted, _: int) -> None:
        pool = self.pools.setdefault(change.sku, Counters())
        pool.received += change.delta
        self._not_over(change.sku)


_STEPS = {
    Granted: Rows._granted,
    Sold: Rows._sold,
    Released: Rows._released,
    Expired: Rows._expired,
    Extended: Rows._extended,
    Returned: Rows._returned,
    Adjusted: Rows._adjusted,
}
