"""What a gateway knows of orders and pools: a fold of the facts of all partitions, without IO.

Of its own batches it decodes every answer, of others only grants, what became of them, policies and totals. A fact
that was published again is known by its ledger offset: first occurrences ascend in each partition.
"""

from collections import deque
from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any

import msgspec

from domain.columns import GrantedRun
from domain.ids import ORDER_ID_BYTES, Receipt
from domain.outcomes import REPEATED, Outcome
from domain.reservation import RowState
from domain.stock import (
    CHANGES,
    Adjusted,
    Answered,
    Closed,
    Expired,
    Extended,
    Granted,
    Opened,
    PolicySet,
    Refused,
    Released,
    Repeat,
    Reserve,
    Returned,
    RulesSet,
    Sold,
)
from gateway.pools import Pools
from gateway.recent import Recent
from gateway.sharded import Sharded
from streams.records import Decided, decode_decided, decode_fact
from streams.seats import Batch
from streams.stock_records import StockCommand, StockDetails, decode_details

ENDED_KEEP_MS = 15 * 60_000
"""As long as the fold keeps ended rows: so long a gateway and the ledger tell the same."""
ORDERS_MAX = 1_000_000
"""Orders in the view, about 0.4 KiB each: 400 MiB. The ended ones that are oldest leave before their time."""
REFUSALS_HALF_MAX = 100_000
"""Own refusals: at least 100,000, 0.3 KiB each: 60 MiB at most."""
PENDING_HALF_MAX = 100_000
"""Own requests without a seen decision; as many as the batcher remembers."""
REFUSAL_MS = 120_000
"""So long the fold remembers a refusal for certain; then its key is a new question."""
NOT_REMEMBERED = frozenset(
    {Outcome.MALFORMED, Outcome.FORBIDDEN, Outcome.FAULT, Outcome.KEY_REUSED, Outcome.TOO_LATE, Outcome.UNKNOWN_SKU,
     Outcome.BUSY, Outcome.GONE}
)  # fmt: skip
"""Outcomes of a Reserve that say nothing of an order: they leave what is known of it as it is."""
_GRANTED = int(Outcome.GRANTED)
_SHOWN = frozenset(kind for kind, change in CHANGES.items() if change not in {Refused, Adjusted, RulesSet, Answered})
"""Kinds of changes that are of use. A refusal says no more than its outcome does to the gateway that asked."""

_POLICY = frozenset({PolicySet, Opened, Closed})
_STATES: dict[type, int] = {
    Sold: RowState.SOLD,
    Released: RowState.RELEASED,
    Expired: RowState.EXPIRED,
    Returned: RowState.RETURNED,
}

Settle = Callable[[int], Batch[StockCommand] | None]


# There are great numbers of these: structs that the garbage collector never looks at, of plain values.


class Grant(msgspec.Struct, frozen=True, gc=False):
    """What was granted, as in the grant."""

    sku: str
    quantity: int
    unit_price: int
    currency: str
    deadline_ms: int


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What became of a command. `receipt`: of its first occurrence, where the fold remembers it, else of this one."""

    outcome: int
    repeated: bool
    receipt: Receipt
    grant: Grant | None


class Order(msgspec.Struct, gc=False):
    """A granted order. `deadline_ms` is the one in force, `changed_ms` the log time of its last change of state."""

    order: bytes
    customer: bytes
    partition: int
    offset: int
    position: int
    grant: Grant
    deadline_ms: int
    changed_ms: int
    state: int = RowState.HELD
    returned: int = 0

    @property
    def receipt(self) -> Receipt:
        """Its place in the queue."""
        return Receipt(self.partition, self.offset, self.position)


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """An own order that was refused, at log time `at_ms`."""

    order: bytes
    customer: bytes
    partition: int
    offset: int
    position: int
    outcome: int
    at_ms: int

    @property
    def receipt(self) -> Receipt:
        """Its place in the queue."""
        return Receipt(self.partition, self.offset, self.position)


class Pending(msgspec.Struct, frozen=True, gc=False):
    """An own order whose decision was not seen yet."""

    order: bytes
    customer: bytes


Known = Order | Rejected | Pending


def key_of(order: bytes) -> bytes:
    """What customer and idempotency key make of an order id, whatever its home partition (and so the SKU) is."""
    return order[2:ORDER_ID_BYTES]


class View:
    """Fed by a reader with facts in order of their partitions, by handlers with what they asked for.

    `own`: for each of this process's senders, how to take the batch of a number that is still undecided.
    """

    def __init__(self, partitions: int, own: Mapping[str, Settle]) -> None:
        self.pools = Pools()
        self._own = own
        self._highest = [-1] * partitions
        self._orders: Sharded[Order] = Sharded()
        self._ended: deque[tuple[int, bytes]] = deque()
        self._rejected: Recent[bytes, Rejected] = Recent(REFUSALS_HALF_MAX)
        self._pending: Recent[bytes, Pending] = Recent(PENDING_HALF_MAX)

    # --- queries --------------------------------------------------------------------------------------------------

    def find(self, order: bytes) -> Known | None:
        """What is known of this very order."""
        known = self._known(key_of(order))
        return known if known is not None and known.order == order else None

    def other_home(self, order: bytes, now_ms: int) -> bool:
        """Whether the same customer and key were used for an order in another home partition, so another SKU."""
        known = self._known(key_of(order))
        if known is None or known.order == order:
            return False
        return not isinstance(known, Rejected) or now_ms - known.at_ms < REFUSAL_MS

    def highest(self, partition: int) -> int:
        """The highest ledger offset seen in facts of this partition, -1 if none was."""
        return self._highest[partition]

    def __len__(self) -> int:
        return len(self._orders)

    def _known(self, key: bytes) -> Known | None:
        return self._orders.get(key) or self._rejected.get(key) or self._pending.get(key)

    # --- inputs ---------------------------------------------------------------------------------------------------

    def ask(self, order: bytes, customer: bytes) -> None:
        """Take note of an order that was asked for here, until it is decided."""
        self._pending.put(key_of(order), Pending(order, customer))

    def forget(self, order: bytes) -> None:
        """It was asked for here, and came to nothing that anybody remembers."""
        self._pending.drop(key_of(order))

    def skip(self, partition: int, value: bytes) -> None:
        """Pass over a fact before the window: it only tells from where on facts are first occurrences."""
        self._highest[partition] = max(self._highest[partition], decode_fact(value).ledger_offset)

    def apply(self, partition: int, value: bytes) -> None:
        """Fold a fact. UndecodableError if it is none that this program knows: newer code wrote it."""
        fact = decode_fact(value)
        if fact.ledger_offset <= self._highest[partition]:
            return
        self._highest[partition] = fact.ledger_offset
        decided = decode_decided(fact.body)
        settle = self._own.get(decided.sender)
        batch = settle(decided.number) if settle else None
        details = decode_details(decided.details, _SHOWN)
        for run in details.changes:
            if isinstance(run.items, GrantedRun):
                self._grant(partition, decided, run.items)
                continue
            for change in run.items:
                self._change(partition, fact.ledger_offset, decided, change)
        for totals in details.totals:
            self.pools.count(fact.ledger_offset, decided.clk, totals)
        if batch is not None:
            self._answer(partition, batch, decided, details)
        self._forget(decided.clk)

    def _grant(self, partition: int, decided: Decided, run: GrantedRun) -> None:
        """Orders that were granted alike share what was granted."""
        shards, src, clk = self._orders.shards, decided.src, decided.clk
        grants: dict[tuple[int, int], Grant] = {}
        numbers = run.numbers or repeat(0)
        for index, hold, customer, quantity, number in zip(
            run.indexes, run.holds, run.customers, run.quantities, numbers, strict=False
        ):
            grant = grants.get((number, quantity))
            if grant is None:
                sku, unit_price, currency, deadline_ms = run.terms[number]
                grant = grants[number, quantity] = Grant(sku, quantity, unit_price, currency, deadline_ms)
            order = hold[:ORDER_ID_BYTES]
            key = order[2:]
            shards[key[-1]][key] = Order(order, customer, partition, src, index, grant, grant.deadline_ms, clk)

    def _change(self, partition: int, ledger_offset: int, decided: Decided, change: Any) -> None:
        kind = type(change)
        if kind is Granted:
            grant = _grant(change)
            order = change.hold[:ORDER_ID_BYTES]
            key = key_of(order)
            self._orders[key] = Order(
                order, change.customer, partition, decided.src, change.index, grant, grant.deadline_ms, decided.clk
            )
        elif kind in _POLICY:
            self.pools.change(ledger_offset, change)
        else:
            key = key_of(change.hold)
            order = self._orders.get(key)
            if order is not None and order.order == change.hold[:ORDER_ID_BYTES]:
                self._move(key, order, change, decided.clk)

    def _move(
        self, key: bytes, order: Order, change: Sold | Released | Expired | Extended | Returned, clk: int
    ) -> None:
        if isinstance(change, Extended):
            order.deadline_ms = change.deadline_ms
            return
        if isinstance(change, Returned):
            order.returned += change.quantity
            if order.returned < order.grant.quantity:
                return
        order.state = _STATES[type(change)]
        order.changed_ms = clk
        self._ended.append((clk, key))

    def _forget(self, clk: int) -> None:
        """Ended orders leave after their time, or when there are too many."""
        ended, over = self._ended, len(self._orders) - ORDERS_MAX
        while ended and (ended[0][0] < clk - ENDED_KEEP_MS or over > 0):
            changed_ms, key = ended.popleft()
            order = self._orders.get(key)
            if order is not None and order.changed_ms == changed_ms and order.state != RowState.HELD:
                del self._orders[key]
                over -= 1

    # --- answers to own batches -----------------------------------------------------------------------------------

    def _answer(self, partition: int, batch: Batch[StockCommand], decided: Decided, details: StockDetails) -> None:
        """Tell who waits, and remember refusals. This runs once a command: 1 us each."""
        src = batch.offset = decided.src  # an ack may have left it open
        outcomes = decided.outcomes
        if len(outcomes) != batch.commands:  # an undecodable record has one outcome for all of it
            outcomes = outcomes[:1] * batch.commands
        repeats = {repeat.index: repeat for repeat in details.repeats}
        shards, drop = self._orders.shards, self._pending.drop
        for index, seat, outcome in zip(range(batch.commands), batch.dismiss(), outcomes, strict=True):
            command, again, grant = seat.command, None, None
            if outcome == _GRANTED and type(command) is Reserve:  # in a sale, most
                key = command.hold[2:ORDER_ID_BYTES]
                drop(key)
                grant = shards[key[-1]][key].grant
                receipt = _new(Receipt, (partition, src, index))
            else:
                again = repeats.get(index) if outcome & REPEATED else None
                outcome &= ~REPEATED  # noqa: PLW2901 - what it came to, the first time or now
                place = (partition, src, index) if again is None else (partition, again.offset, again.position)
                receipt = _new(Receipt, place)
                if type(command) is Reserve:
                    grant = self._settle(command, outcome, receipt, again, decided.clk)
            if seat.acked is not None and not seat.acked.done():
                seat.acked.set_result(True)  # decided, so it is in the log
            if seat.decided is not None and not seat.decided.done():
                seat.decided.set_result(Answer(outcome, again is not None, receipt, grant))

    def _settle(self, command: Reserve, outcome: int, receipt: Receipt, again: Repeat | None, clk: int) -> Grant | None:
        """An own request is decided: what was granted."""
        key = command.hold[2:ORDER_ID_BYTES]
        self._pending.drop(key)
        if outcome == _GRANTED:
            return self._orders[key].grant if again is None else _grant(again)
        if outcome not in NOT_REMEMBERED:
            rejected = Rejected(command.hold[:ORDER_ID_BYTES], command.customer, *receipt, outcome, clk)
            self._rejected.put(key, rejected)
        return None


_new = tuple.__new__
"""A NamedTuple's own constructor is a Python function and takes twice the time."""


def _grant(first: Granted | Repeat) -> Grant:
    return Grant(first.sku, first.quantity, first.unit_price, first.currency, first.deadline_ms)
