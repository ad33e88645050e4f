"""The order log's codec: its commands, the details of its decisions, and the events that follow from them.

`events_of` needs nothing but the accepted record: whoever reads the ledger derives the same events.
"""

from base64 import b64encode
from typing import NamedTuple

import msgspec

from domain import orders
from domain.ids import Receipt, order_text
from domain.order_changes import (
    ORDER_CHANGES,
    Asks,
    Begun,
    Buried,
    Noticed,
    OrderChange,
    PayAsk,
    Resumed,
    Stepped,
    StockAsk,
)
from domain.orders import COMMANDS, Phase, PlacedLine, Public
from domain.outcomes import Outcome
from streams.order_events import CHANGED, PROGRESSED, REQUESTED, AskBody, Line, OrderEvent, ReserveLine
from streams.order_events import Decided as DecidedEvent
from streams.protocol import Pin, Tick, Yield
from streams.records import EMPTY_DETAILS, BatchCodec, Decided, UndecodableError
from streams.runs import Run, RunCodec

OrderCommand = orders.OrderCommand | Tick | Yield | Pin

BATCHES: BatchCodec[OrderCommand] = BatchCodec(COMMANDS)
_CHANGES: RunCodec[OrderChange] = RunCodec(ORDER_CHANGES)
_encode = msgspec.msgpack.Encoder().encode


class OrderDetails(NamedTuple):
    """`Decided.details` of the order ledger. `replied`: the batch's sender waits for its outcomes."""

    replied: bool
    changes: list[Run[OrderChange]]


class _RawDetails(NamedTuple):
    replied: bool
    changes: list[tuple[int, msgspec.Raw]]


_decode = msgspec.msgpack.Decoder(_RawDetails | None).decode
NOTHING = OrderDetails(replied=False, changes=[])


def encode_details(changes: list[OrderChange], *, replied: bool) -> msgspec.Raw:
    """For `Decided.details`; EMPTY_DETAILS when there is nothing to say, so that an idle tick has no events."""
    if not (changes or replied):
        return EMPTY_DETAILS
    return msgspec.Raw(_encode((replied, _CHANGES.pack(changes))))


def decode_details(raw: msgspec.Raw) -> OrderDetails:
    """UndecodableError if it is not the order ledger's."""
    try:
        details = _decode(raw)
        if details is None:
            return NOTHING
        return OrderDetails(details.replied, _CHANGES.unpack(details.changes))
    except ValueError as error:  # msgspec.MsgspecError is one, the UnicodeDecodeError of a text another
        raise UndecodableError(str(error)) from error


# --- events -----------------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where an event stands, as far as its record says."""

    partition: int
    offset: int
    time_ms: int


def events_of(partition: int, ledger_offset: int, decided: Decided) -> list[OrderEvent | DecidedEvent]:
    """All events of one accepted record in order, their `index` from 0; the answer to the batch's sender is last."""
    details = decode_details(decided.details)
    place = _Place(partition, ledger_offset, decided.clk)
    events: list[OrderEvent | DecidedEvent] = []
    begun: Begun | None = None
    for _, changes in details.changes:
        for change in changes:
            if isinstance(change, Begun):
                begun = change
            elif isinstance(change, Stepped):
                events += _of_step(place, len(events), begun, change)
                begun = None
            else:
                events.append(_of_other(place, len(events), change))
    if decided.sender and (details.replied or decided.note is not None):
        outcomes = list(decided.outcomes)
        sender, number, src = decided.sender, decided.number, decided.src
        events.append(DecidedEvent(sender, number, partition, ledger_offset, src, decided.clk, outcomes))
    return events


def _of_step(place: _Place, first: int, begun: Begun | None, change: Stepped) -> list[OrderEvent]:
    """One `changed` for each public state that was passed, or one `progressed`; the last one says everything."""
    order, core, texts = order_text(change.order), change.core, change.texts
    ways = change.passed or (change.before,)
    sequence = change.sequence - len(change.passed)
    head: list[OrderEvent] = []
    came_from = change.before
    for to in ways[:-1]:
        sequence += 1
        event = OrderEvent(
            CHANGED, order, *place[:2], first + len(head), place.time_ms, change.version, to, sequence, came_from, to,
            change.cause,
        )  # fmt: skip
        head.append(event)
        came_from = to
    moved = bool(change.passed)
    last = OrderEvent(
        kind=CHANGED if moved else PROGRESSED,
        order=order,
        partition=place.partition,
        offset=place.offset,
        index=first + len(head),
        time_ms=place.time_ms,
        version=change.version,
        state=ways[-1],
        sequence=change.sequence,
        came_from=came_from if moved else "",
        to=ways[-1] if moved else "",
        cause=change.cause,
        reason=core.reason,
        compensating=core.phase is Phase.UNDO,
        goal=Public[core.goal.name] if core.goal and core.phase in {Phase.UNDO, Phase.RETURNING} else "",
        pay=core.pay,
        attempt=core.attempt,
        method=(texts.method if texts else None) or "",
        intent=(texts.intent if texts else None) or "",
        action=(texts.action if texts else None) or "",
        amount=core.amount,
        currency=(texts.currency if texts else None) or "",
        captured=core.captured,
        refunded=core.refunded,
        deadline_ms=core.deadline_ms,
        lines=_lines(begun, change),
        asks=_asks(change.asks),
    )
    events = [*head, last]
    if begun is not None:
        events[0] = msgspec.structs.replace(
            events[0],
            customer=begun.customer.hex(),
            receipt=str(Receipt(place.partition, begun.offset, begun.position)),
            partial=begun.partial,
            shipping=b64encode(begun.shipping).decode(),
            lines=last.lines,
        )
    return events


def _lines(begun: Begun | None, change: Stepped) -> list[Line]:
    """All lines in the order's first event; later those of which anything is new, and only that and their states."""
    terms = {one.line: one for one in change.terms}
    currency = (change.texts.currency if change.texts else None) or ""
    lines = []
    for at, (was, state) in enumerate(zip(change.was, change.letters, strict=True)):
        line = begun.lines[at] if begun else PlacedLine(change.first_line + at, "", 0, 0)
        new = terms.get(line.line)
        if new is None:
            if begun or was != state:
                lines.append(Line(line.line, line.sku, line.partition, line.quantity, state))
            continue
        lines.append(
            Line(
                line.line,
                line.sku,
                line.partition,
                line.quantity,
                state,
                new.unit_price,
                currency if new.unit_price >= 0 else "",
                new.deadline_ms,
                Outcome(new.reason).label if new.reason else "",
                new.shipped,
                new.delivered,
                new.returned,
            )
        )
    return lines


def _of_other(place: _Place, index: int, change: Buried | Resumed | Noticed) -> OrderEvent:
    order = order_text(change.order)
    if isinstance(change, Buried):
        cancelled = Public.CANCELLED
        return OrderEvent(
            CHANGED, order, *place[:2], index, place.time_ms, 1, cancelled, 1, "", cancelled, "cancel", "cancelled",
            customer=change.customer.hex(),
        )  # fmt: skip
    if isinstance(change, Resumed):
        return OrderEvent(
            REQUESTED, order, *place[:2], index, place.time_ms, change.version, change.public, cause="unanswered",
            asks=_asks(change.asks),
        )  # fmt: skip
    return OrderEvent(
        kind=change.kind,
        order=order,
        partition=place.partition,
        offset=place.offset,
        index=index,
        time_ms=place.time_ms,
        version=change.version,
        state=change.public,
        cause=change.cause,
        reason=change.reason,
        pay=change.pay,
        attempt=change.attempt,
        intent=change.intent,
        amount=change.amount,
        asks=_asks(change.asks),
    )


def _asks(asks: Asks) -> list[AskBody]:
    bodies = [_stock(ask) for ask in asks.stock]
    if asks.reserve is not None:
        reserve = asks.reserve
        bodies.append(
            AskBody(
                "reserve",
                partition=reserve.partition,
                lines=[ReserveLine(line.line, line.sku, line.quantity, line.max_price) for line in reserve.lines],
                partial=reserve.partial,
                customer=reserve.customer.hex(),
                fingerprint=reserve.fingerprint.hex(),
                until_ms=reserve.until_ms,
            )
        )
    if asks.pay is not None:
        bodies.append(_pay(asks.pay))
    return bodies


def _stock(ask: StockAsk) -> AskBody:
    kind, partition, line, until_ms, quantity, restock, reference = ask
    return AskBody(
        kind,
        partition=partition,
        line=line,
        until_ms=until_ms,
        quantity=quantity,
        restock=restock,
        reference=reference,
    )


def _pay(ask: PayAsk) -> AskBody:
    return AskBody(
        ask.kind,
        attempt=ask.attempt,
        authorised=ask.authorised,
        amount=ask.amount,
        currency=ask.currency,
        method=ask.method,
        intent=ask.intent,
        key=ask.key.hex(),
        asked_ms=ask.asked_ms,
        deadline_ms=ask.deadline_ms,
    )
