"""The newest of the orders: a fold of order.events of all partitions, without IO, of what SQL does not have yet.

An order stays here from its first event that is newer than SQL until SQL has passed its last one; so what is known of
any order is SQL's row with what stands here on top. An event that was published again is known by its place in the
ledger; how far SQL and this fold are, by the offset on order.events.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from domain.ids import Receipt, order_bytes
from domain.orders import BORN_LINE
from domain.outcomes import REPEATED
from gateway.order_now import OrderNow, begin, follow
from gateway.recent import Recent
from gateway.view import Answer, key_of
from streams.order_events import ROW_EVENTS, Decided, OrderEvent
from streams.order_records import OrderCommand
from streams.seats import Batch

ORDERS_MAX = 150_000
"""Orders that SQL does not have yet, 2.3 KiB each: 330 MiB. At 150 a second SQL may be away for 16 minutes; then the
oldest leave, and who asks for one of them is told to come again."""
KEYS_HALF_MAX = 50_000

Settle = Callable[[int], Batch[OrderCommand] | None]
Listener = Callable[[OrderNow], None]


class _Kept:
    """An order, and the offset of its last event."""

    __slots__ = ("now", "offset")

    def __init__(self, now: OrderNow, offset: int) -> None:
        self.now = now
        self.offset = offset


class _Lane:
    """One partition.

    `seen` = place in the ledger of the last event, `passed` = offset up to which SQL has all, `missed` = offset of an
    event that is newer than that and that was not kept.
    """

    __slots__ = ("kept", "missed", "passed", "seen")

    def __init__(self) -> None:
        self.kept: OrderedDict[str, _Kept] = OrderedDict()
        self.seen = (-1, -1)
        self.passed = -1
        self.missed = -1


class Tail:
    """Fed by a reader with records in order of their partitions.

    `own`: for each of this process's senders, how to take the batch of a number that is still undecided; `on_decided`
    is told each of its commands and the outcome.
    """

    def __init__(
        self, partitions: int, own: Mapping[str, Settle], on_decided: Callable[[OrderCommand, int], None]
    ) -> None:
        self._own = own
        self._on_decided = on_decided
        self._lanes = [_Lane() for _ in range(partitions)]
        self._of_customer: dict[str, dict[str, OrderNow]] = {}
        self._placed: Recent[bytes, bytes] = Recent(KEYS_HALF_MAX)
        self._listeners: dict[str, set[Listener]] = {}

    # --- queries --------------------------------------------------------------------------------------------------

    def find(self, partition: int, order: str) -> OrderNow | None:
        """What stands here of an order; it may begin in the middle of its life."""
        kept = self._lanes[partition].kept.get(order)
        return None if kept is None else kept.now

    def of_customer(self, customer: str) -> list[OrderNow]:
        """The orders of a customer (hash as hex) whose first events stand here."""
        return list(self._of_customer.get(customer, {}).values())

    def other_home(self, order: bytes) -> bool:
        """Whether the same customer and key were lately used for an order of several lines in another partition."""
        known = self._placed.get(key_of(order))
        return known is not None and known != order

    def is_ahead(self, partition: int) -> bool:
        """Whether there was news that neither SQL has nor stands here any more: SQL alone may tell an old story."""
        lane = self._lanes[partition]
        return lane.missed > lane.passed

    def __len__(self) -> int:
        return sum(len(lane.kept) for lane in self._lanes)

    @contextmanager
    def listening(self, order: str, listener: Listener) -> Iterator[None]:
        """Call `listener` after each event of an order. It must not raise or take long."""
        listeners = self._listeners.setdefault(order, set())
        listeners.add(listener)
        try:
            yield
        finally:
            listeners.discard(listener)
            if not listeners:
                self._listeners.pop(order, None)

    # --- inputs ---------------------------------------------------------------------------------------------------

    def begin_at(self, partition: int, offset: int) -> None:
        """Records come from this offset on. What is before it and not in SQL is missed."""
        self._lanes[partition].missed = offset - 1

    def apply(self, partition: int, offset: int, event: OrderEvent | Decided) -> None:
        """Fold the record at that offset of order.events."""
        if isinstance(event, Decided):
            self._answer(event)
            return
        lane = self._lanes[partition]
        place = (event.offset, event.index)
        if place <= lane.seen:
            return
        lane.seen = place
        if event.kind not in ROW_EVENTS:
            return
        kept = lane.kept.get(event.order)
        if kept is not None and event.version > kept.now.version + 1:  # one between them could not be read
            self._drop(lane, event.order)
            kept = None
        if kept is None:
            kept = lane.kept[event.order] = _Kept(begin(event), offset)
            self._note(kept.now)
        else:
            follow(kept.now, event)
            kept.offset = offset
            lane.kept.move_to_end(event.order)
        for listener in tuple(self._listeners.get(event.order, ())):
            listener(kept.now)
        if len(lane.kept) > ORDERS_MAX // len(self._lanes):
            lane.missed = self._drop_oldest(lane)

    def pass_by(self, partition: int, offset: int) -> None:
        """SQL has everything up to that offset: what is no newer leaves. An earlier one: SQL is being made anew."""
        lane = self._lanes[partition]
        if offset < lane.passed:
            lane.missed = max(lane.missed, lane.passed)
        lane.passed = offset
        while lane.kept and next(iter(lane.kept.values())).offset <= offset:
            self._drop_oldest(lane)

    def _note(self, now: OrderNow) -> None:
        if now.created_ms < 0:
            return
        self._of_customer.setdefault(now.customer, {})[now.order] = now
        if BORN_LINE not in now.lines:
            order = order_bytes(now.order)
            self._placed.put(key_of(order), order)

    def _drop_oldest(self, lane: _Lane) -> int:
        return self._drop(lane, next(iter(lane.kept)))

    def _drop(self, lane: _Lane, order: str) -> int:
        kept = lane.kept.pop(order)
        orders = self._of_customer.get(kept.now.customer)
        if orders is not None:
            orders.pop(order, None)
            if not orders:
                del self._of_customer[kept.now.customer]
        return kept.offset

    def _answer(self, decided: Decided) -> None:
        """Tell who waits for an own batch."""
        settle = self._own.get(decided.sender)
        batch = settle(decided.number) if settle else None
        if batch is None:
            return
        batch.offset = decided.src  # an ack may have left it open
        outcomes = decided.outcomes
        if len(outcomes) != batch.commands:  # an undecodable record has one outcome for all of it
            outcomes = outcomes[:1] * batch.commands
        for index, (seat, code) in enumerate(zip(batch.dismiss(), outcomes, strict=True)):
            self._on_decided(seat.command, code & ~REPEATED)
            if seat.acked is not None and not seat.acked.done():
                seat.acked.set_result(True)  # decided, so it is in the log
            if seat.decided is not None and not seat.decided.done():
                receipt = Receipt(decided.partition, decided.src, index)
                seat.decided.set_result(Answer(code & ~REPEATED, bool(code & REPEATED), receipt, None))
