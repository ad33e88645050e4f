"""What an order asks of others: `owed` says it from the state alone, `react` is what a step adds to it.

A request is answered when the state says so: a line leaves a, c, r or t, the money leaves A, W, C, V or R, an order
leaves PAID. So nothing has to be remembered about requests, and what a crash lost is found again by `owed`.
"""

from domain.order_changes import NO_ASKS, Asks, PayAsk, ReserveAsk, StockAsk
from domain.order_row import NO_GOODS, Order, OrderLine
from domain.orders import ALL_LINES, Ask, LineState, Pay, Phase, PlacedLine

_LINE_ASKS = {
    LineState.COMMITTING: Ask.COMMIT,
    LineState.RELEASING: Ask.RELEASE,
    LineState.RETURNING: Ask.RETURN,
}
_PAY_ASKS = {
    Pay.AUTHORISING: Ask.AUTHORISE,
    Pay.ABANDONING: Ask.VOID,
    Pay.CAPTURING: Ask.CAPTURE,
    Pay.VOIDING: Ask.VOID,
    Pay.REFUNDING: Ask.REFUND,
}
_WITH_METHOD = frozenset({Ask.AUTHORISE, Ask.VOID, Ask.LOOK})
"""A void of an intent that nobody knows the id of repeats its create."""


def owed(row: Order) -> Asks:
    """Everything that the order waits for, from its state alone."""
    return Asks(
        tuple(_line_ask(row, line) for line in row.lines if line.state in _LINE_ASKS),
        _reserve_ask(row),
        pay_ask(row, kind) if (kind := _pay_kind(row)) else None,
    )


def react(before: Asks, after: Asks) -> Asks:
    """What a step asks for: what is owed after it and was not before it."""
    pay = None if after.pay is None or _same(before.pay, after.pay) else after.pay
    reserve = None if after.reserve == before.reserve else after.reserve
    stock = tuple(ask for ask in after.stock if ask not in before.stock)
    return Asks(stock, reserve, pay) if stock or reserve or pay else NO_ASKS


def _same(known: PayAsk | None, ask: PayAsk) -> bool:
    """The same wish: a capture is asked for once, whatever its amount is now."""
    return known is not None and (known.kind, known.attempt, known.key) == (ask.kind, ask.attempt, ask.key)


def _line_ask(row: Order, line: OrderLine) -> StockAsk:
    kind = _LINE_ASKS[line.state]
    if kind is not Ask.RETURN or row.movement is None:
        return StockAsk(kind, line.partition, line.line)
    quantity, restock, reference = going_back(row, line), row.movement.restock, row.movement.reference
    return StockAsk(kind, line.partition, line.line, 0, quantity, restock, reference)


def going_back(row: Order, line: OrderLine) -> int:
    """Units of a line that the movement under way takes back."""
    movement = row.movement
    if movement is None or movement.line == NO_GOODS:
        return 0
    if movement.line == ALL_LINES:
        return line.quantity - line.returned
    return movement.quantity if movement.line == line.line else 0


def _reserve_ask(row: Order) -> ReserveAsk | None:
    if row.phase is not Phase.CREATED:
        return None
    asked = [line for line in row.lines if line.state is LineState.RESERVING]
    if not asked:
        return None
    lines = tuple(PlacedLine(*line[:5]) for line in asked)
    return ReserveAsk(asked[0].partition, row.partial, row.deadline_ms, row.customer, row.fingerprint, lines)


def _pay_kind(row: Order) -> Ask | None:
    return Ask.CONFIRM if row.phase is Phase.PAID else _PAY_ASKS.get(row.pay)


def pay_ask(row: Order, kind: Ask) -> PayAsk:
    """A request about the money of the row's attempt. Amount: to capture, captured, or to refund."""
    amount = row.amount
    key = b""
    if kind is Ask.CONFIRM:
        amount = row.captured
    elif row.pay is Pay.REFUNDING:
        amount = row.movement.amount if row.movement else row.captured - row.refunded
        key = row.movement.key if row.movement else b""
    return PayAsk(
        kind,
        row.attempt,
        row.authorised,
        amount,
        row.currency,
        row.method if kind in _WITH_METHOD else "",
        row.intent,
        key,
        row.asked_ms,
        row.deadline_ms,
    )


def extensions(row: Order, until_ms: int) -> tuple[StockAsk, ...]:
    """Requests to keep the holds of all held lines alive."""
    held = (line for line in row.lines if line.state is LineState.HELD)
    return tuple(StockAsk(Ask.EXTEND, line.partition, line.line, until_ms) for line in held)


def release(order_line: int, partition: int) -> Asks:
    """The request to let one hold go."""
    return Asks((StockAsk(Ask.RELEASE, partition, order_line),))
