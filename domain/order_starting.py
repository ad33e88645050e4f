"""The start of an order: born of a granted line, or placed with several; and the cancel that comes before it.

The lines of a placed one are asked for one stock partition after another, each when the one before was granted.
"""

from domain.ids import home_partition
from domain.order_asks import release
from domain.order_row import Known, Order, OrderLine, Stub, fresh_lines
from domain.order_step import ACCEPTED, BUSY, KEY_REUSED, Now, Step, Tell, noted
from domain.order_undo import undo
from domain.orders import BORN_LINE, Born, Cancel, LineState, Pay, Phase, Place, Reserved
from domain.outcomes import REPEATED, Outcome

AMOUNT_MAX = 10**15
"""Minor units of one order."""


def born_in_time(_: Known | None, command: Born, now: Now) -> bool:
    """Not so late that the hold would end before the order's steps do."""
    return now.clk < command.deadline_ms - now.rules.hold_margin_ms


def other_born(row: Known | None, command: Born, _: Now) -> bool:
    """Born of other content, or of another decision of stock."""
    if row is None:
        return False
    same = (row.fingerprint, row.offset, row.position) == (command.fingerprint, command.offset, command.position)
    return not same


def other_place(row: Known | None, command: Place, _: Now) -> bool:
    """Placed with other content."""
    return row is not None and row.fingerprint != command.fingerprint


def whose(row: Known | None, command: Born | Place, _: Now) -> bool:
    """The cancel before birth was this customer's or an operator's; somebody else's is ignored."""
    return row is not None and row.customer in {b"", command.customer}


def born(_: Known | None, command: Born, now: Now) -> Step:
    """A granted line: pay, or wait for a payment method."""
    row = _born_row(command, now)
    wait_ms = now.rules.deadline_ms if command.method else now.rules.method_wait_ms
    deadline_ms = min(now.clk + wait_ms, command.deadline_ms - now.rules.hold_margin_ms)
    return Step(Outcome.BORN, pay_first(row._replace(deadline_ms=deadline_ms)), shipping=command.shipping)


def _born_row(command: Born, now: Now) -> Order:
    partition = home_partition(command.order)
    line = OrderLine(
        BORN_LINE,
        command.sku,
        partition,
        command.quantity,
        -1,
        LineState.HELD,
        command.unit_price,
        command.deadline_ms,
    )
    return Order(
        command.order,
        command.customer,
        command.fingerprint,
        command.offset,
        command.position,
        partial=False,
        born_ms=now.clk,
        phase=Phase.CREATED,
        goal=None,
        pay=Pay.NONE,
        lines=(line,),
        currency=command.currency,
        next_method=command.method,
    )


def born_late(_: Known | None, command: Born, __: Now) -> Step:
    """No order: let the hold go."""
    asks = release(BORN_LINE, home_partition(command.order))
    return Step(Outcome.TOO_LATE, tell=Tell("requested", asks, "too-late"))


def born_cancelled(row: Stub, command: Born, now: Now) -> Step:
    """It was cancelled before: undone at once."""
    order = _born_row(command, now)._replace(version=row.version, sequence=row.sequence, public=row.public)
    return Step(Outcome.BORN, undo(order, Phase.CANCELLED, "cancelled"))


def born_otherwise(_: Known, command: Born, __: Now) -> Step:
    """The key has an order already: that hold is nobody's."""
    asks = release(BORN_LINE, home_partition(command.order))
    return Step(Outcome.KEY_REUSED, tell=Tell("key-reused", asks))


def place(_: Known | None, command: Place, now: Now) -> Step:
    """Several lines: the first partition is asked."""
    if now.clk > command.not_after_ms:
        return Step(Outcome.TOO_LATE)
    row = _placed_row(command, now)
    return Step(Outcome.PLACED, row._replace(lines=_ask_next(row.lines) or row.lines), shipping=command.shipping)


def _placed_row(command: Place, now: Now) -> Order:
    return Order(
        command.order,
        command.customer,
        command.fingerprint,
        now.src,
        now.index,
        partial=command.partial,
        born_ms=now.clk,
        phase=Phase.CREATED,
        goal=None,
        pay=Pay.NONE,
        lines=fresh_lines(command.lines),
        deadline_ms=now.clk + now.rules.deadline_ms,
        next_method=command.method,
    )


def place_cancelled(row: Stub, command: Place, now: Now) -> Step:
    """It was cancelled before: nothing is asked of anybody."""
    order = _placed_row(command, now)._replace(
        version=row.version, sequence=row.sequence, public=row.public, phase=Phase.CANCELLED, goal=Phase.CANCELLED,
        pay=Pay.CLOSED, deadline_ms=0, lines=(), next_method="", reason="cancelled",
    )  # fmt: skip
    return Step(Outcome.PLACED, order)


def place_again(_: Known, __: Place, ___: Now) -> Step:
    """The first answer again."""
    return Step(Outcome.PLACED | REPEATED)


def key_reused(_: Known, __: object, ___: Now) -> Step:
    """The key stands for something else already."""
    return KEY_REUSED


def due(row: Order, _: None, __: Now) -> Step:
    """Not paid in time."""
    return noted(undo(row, Phase.EXPIRED, "deadline"))


def cancel_early(_: None, command: Cancel, now: Now) -> Step:
    """Nothing was heard of the order yet: remembered, so that what comes is undone."""
    mine, all_ = now.buried
    full = all_ >= now.rules.early_max or (command.customer and mine >= now.rules.early_per_customer)
    return BUSY if full else ACCEPTED._replace(bury=True)


def answers_waiting(row: Order, command: Reserved, _: Now) -> bool:
    """Stock decided, and this partition's lines wait for it."""
    return command.outcome & ~REPEATED not in {Outcome.BUSY, Outcome.FAULT} and any(
        line.state is LineState.RESERVING and line.partition == command.partition for line in row.lines
    )


def reserved(row: Order, command: Reserved, now: Now) -> Step:
    """Lines held or refused; then the next partition, or the money, or the way back."""
    held = row._replace(lines=_answered(row.lines, command), currency=_currency(row, command))
    refusal = next((line.reason for line in held.lines if line.reason), 0)
    if any(line.currency != held.currency for line in command.granted):
        return noted(undo(held, Phase.REJECTED, "mixed-currencies"))
    if refusal and not row.partial:
        first = min(line.reason for line in held.lines if line.reason)  # sibling-refused comes last in precedence
        return noted(undo(_siblings(held), Phase.REJECTED, Outcome(first).label))
    asked = _ask_next(held.lines)
    if asked is not None:
        count = sum(line.state is LineState.RESERVING for line in asked)
        return noted(held._replace(lines=asked)) if count <= now.lines_left else BUSY
    lines = [line for line in held.lines if line.state is LineState.HELD]
    if not lines:
        return noted(undo(held, Phase.REJECTED, Outcome(refusal).label))
    if worth(held.lines) > AMOUNT_MAX:
        return noted(undo(held, Phase.REJECTED, "amount-too-large"))
    ends_ms = min(line.deadline_ms for line in lines) - now.rules.hold_margin_ms
    if ends_ms <= now.clk:
        return noted(undo(held, Phase.EXPIRED, "deadline"))
    wait_ms = row.deadline_ms if row.next_method else now.clk + now.rules.method_wait_ms
    return noted(pay_first(held._replace(deadline_ms=min(wait_ms, ends_ms))))


def _answered(lines: tuple[OrderLine, ...], command: Reserved) -> tuple[OrderLine, ...]:
    granted = {line.line: line for line in command.granted}
    refused = dict(command.refused)
    code = command.outcome & ~REPEATED
    if code == Outcome.GRANTED:
        code = int(Outcome.SIBLING_REFUSED)
    answered = []
    for line in lines:
        if line.state is not LineState.RESERVING or line.partition != command.partition:
            answered.append(line)
        elif grant := granted.get(line.line):
            answered.append(
                line._replace(state=LineState.HELD, unit_price=grant.unit_price, deadline_ms=grant.deadline_ms)
            )
        else:
            answered.append(line._replace(state=LineState.CLOSED, reason=refused.get(line.line, code) & ~REPEATED))
    return tuple(answered)


def _currency(row: Order, command: Reserved) -> str:
    return row.currency or (command.granted[0].currency if command.granted else "")


def _siblings(row: Order) -> Order:
    """Lines whose turn has not come are refused because of the others."""
    code = int(Outcome.SIBLING_REFUSED)
    lines = [line._replace(reason=code) if line.state is LineState.WAITING else line for line in row.lines]
    return row._replace(lines=tuple(lines))


def _ask_next(lines: tuple[OrderLine, ...]) -> tuple[OrderLine, ...] | None:
    """The lowest partition that was not asked is; None if none is left."""
    partitions = [line.partition for line in lines if line.state is LineState.WAITING]
    if not partitions:
        return None
    turn = min(partitions)
    asking = LineState.RESERVING
    return tuple(
        line._replace(state=asking) if line.state is LineState.WAITING and line.partition == turn else line
        for line in lines
    )


def worth(lines: tuple[OrderLine, ...]) -> int:
    """What the lines that are not closed cost."""
    return sum(line.quantity * line.unit_price for line in lines if line.state is not LineState.CLOSED)


def pay_first(row: Order) -> Order:
    """All holds are there: ask for the money, or wait for a payment method."""
    amount = worth(row.lines)
    waiting = row._replace(phase=Phase.PENDING, amount=amount)
    return authorise(waiting, row.next_method) if row.next_method else waiting


def authorise(row: Order, method: str) -> Order:
    """The next attempt."""
    return row._replace(
        pay=Pay.AUTHORISING,
        attempt=row.attempt + 1,
        authorised=row.amount,
        method=method,
        next_method="",
        intent="",
        action="",
    )
