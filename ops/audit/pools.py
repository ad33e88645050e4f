"""What the auditor keeps of a SKU and of a hold: plain objects, written from docs/inventory.md."""

from enum import IntEnum
from heapq import heappop
from typing import NamedTuple

from domain.stock import Totals


class State(IntEnum):
    """Of a hold, as in the table in docs/guarantees.md."""

    HELD = 1
    SOLD = 2
    EXPIRED = 3
    RELEASED = 4
    RETURNED = 5


class Phase(IntEnum):
    """Of a SKU's sale."""

    NOT_OPEN = 0
    OPEN = 1
    CLOSED = 2


class Hold:
    """One reservation. `pool` is None for a tombstone (released before anything was granted)."""

    __slots__ = (
        "currency",
        "customer",
        "deadline_ms",
        "due_ms",
        "ended_ms",
        "fingerprint",
        "granted_ms",
        "index",
        "offset",
        "pool",
        "price",
        "quantity",
        "returned",
        "returns",
        "state",
    )

    def __init__(self, pool: "Pool | None", customer: bytes, quantity: int, fingerprint: bytes) -> None:
        self.state = State.HELD
        self.pool = pool
        self.customer = customer
        self.quantity = quantity
        self.fingerprint = fingerprint
        self.price = 0
        self.currency = ""
        self.deadline_ms = 0
        """As granted; `due_ms` is the one in force."""
        self.due_ms = 0
        self.granted_ms = 0
        self.ended_ms = -1
        self.offset = -1
        self.index = -1
        self.returned = 0
        self.returns: dict[int, tuple[int, bool]] | None = None

    @property
    def left(self) -> int:
        """Units that have not come back."""
        return self.quantity - self.returned

    def due(self, clk: int) -> bool:
        """Held past its deadline: expired in everything but the sweep."""
        return self.state is State.HELD and self.due_ms <= clk

    def ended_by(self, clk: int) -> bool:
        """No unit is bound to it any more."""
        return self.ended_ms >= 0 or self.due(clk)


class Refusal(NamedTuple):
    """The first answer of a key that was refused."""

    outcome: int
    fingerprint: bytes
    offset: int
    place: int
    refused_ms: int


class Pool:
    """The auditor's own counters of a SKU."""

    __slots__ = (
        "adjustments",
        "available",
        "counts",
        "currency",
        "customer_key",
        "deadlines",
        "granted",
        "held",
        "hold_ms",
        "limit",
        "phase",
        "price",
        "received",
        "sequence",
        "sku",
        "sold",
        "starved",
        "version",
        "written_off",
    )

    def __init__(self, sku: str) -> None:
        self.sku = sku
        self.received = self.available = self.held = self.sold = self.written_off = 0
        self.sequence = 0
        self.granted = 0
        self.version = 0
        self.phase = Phase.NOT_OPEN
        self.price = 0
        self.currency = ""
        self.limit = 0
        self.hold_ms = 0
        self.customer_key = ""
        self.counts: dict[bytes, int] = {}
        self.adjustments: dict[str, tuple[int, int]] = {}
        """By reference: delta applied, and shortfall."""
        self.deadlines: list[tuple[int, bytes]] = []
        """Heap of (deadline, hold id); dead entries are dropped when they come up."""
        self.starved: tuple[int, int, bytes] | None = None
        """(src, index, hold) of the first request that was refused although it was eligible."""

    def totals(self) -> Totals:
        """The counters as the ledger should say them."""
        return Totals(self.sku, self.received, self.available, self.held, self.sold, self.written_off, self.sequence)

    def count(self, customer: bytes, units: int) -> None:
        """The customer holds or owns so many units more."""
        now = self.counts.get(customer, 0) + units
        if now:
            self.counts[customer] = now
        else:
            self.counts.pop(customer, None)

    def due(self, holds: dict[bytes, Hold], clk: int) -> list[Hold]:
        """Holds of this SKU that are due and not swept yet; usually none, then it costs a look at the heap."""
        heap = self.deadlines
        while heap:
            deadline_ms, hold_id = heap[0]
            if deadline_ms > clk:
                return []
            hold = holds.get(hold_id)
            if hold is not None and hold.state is State.HELD and hold.due_ms == deadline_ms:
                break
            heappop(heap)
        due = {hold_id: deadline_ms for deadline_ms, hold_id in heap if deadline_ms <= clk}
        return [holds[hold_id] for hold_id in due if hold_id in holds and holds[hold_id].due(clk)]


def conserved(totals: Totals) -> bool:
    """Whether received = available + held + sold + written_off, all of them at least 0."""
    parts = totals[2:6]
    return totals.received == sum(parts) and min(totals.received, *parts) >= 0
