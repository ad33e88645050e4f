"""From money asked for to money captured: answers of the payment agent and of stock's commits, methods, and queues.

Order of the steps: authorised, every line committed, captured. A failed attempt is voided before the next one.
"""

from domain.order_asks import extensions
from domain.order_row import Order, OrderLine
from domain.order_starting import authorise, worth
from domain.order_step import ACCEPTED, NOT_YOURS, REFUSED, UNCHANGED, Now, Step, accepted, noted, theirs
from domain.order_undo import settle, undo
from domain.orders import LineAnswered, LineState, Method, Pay, PayAnswered, Phase, Queued, Settle
from domain.payment import PayOutcome


def last_attempt(row: Order, _: PayAnswered, now: Now) -> bool:
    """No further attempt is allowed."""
    return row.attempt >= now.rules.attempts_max


def authorised(row: Order, command: PayAnswered, _: Now) -> Step:
    """The money is there: sell every line."""
    lines = tuple(
        line._replace(state=LineState.COMMITTING) if line.state is LineState.HELD else line for line in row.lines
    )
    found = _found(row, command)._replace(pay=Pay.AUTHORISED, lines=lines, deadline_ms=0)
    return noted(found._replace(next_method="", action=""))


def action_required(row: Order, command: PayAnswered, _: Now) -> Step:
    """The customer has to act; the attempt stays open. The same again is nothing new."""
    found = _found(row, command)._replace(action=command.action)
    return UNCHANGED if found == row else noted(found)


def declined(row: Order, command: PayAnswered, _: Now) -> Step:
    """The attempt failed: void whatever there is of it."""
    return noted(_found(row, command)._replace(pay=Pay.ABANDONING, action="", reason=_why(command)))


def declined_for_good(row: Order, command: PayAnswered, _: Now) -> Step:
    """The last attempt failed."""
    return noted(undo(_found(row, command), Phase.CANCELLED, _why(command)))


def voided_attempt(row: Order, command: PayAnswered, _: Now) -> Step:
    """The failed attempt is closed: the next one, if there is another payment method, else wait for one."""
    if row.next_method:
        return noted(authorise(row, row.next_method))
    return noted(_found(row, command)._replace(pay=Pay.NONE, method=""))


def captured_attempt(row: Order, command: PayAnswered, _: Now) -> Step:
    """Against all rules the failed attempt has money: give it back."""
    taken = _found(row, command)._replace(pay=Pay.CAPTURED, captured=_amount(row, command))
    return noted(undo(taken, Phase.CANCELLED, "captured-late"))


def committed(row: Order, command: LineAnswered, _: Now) -> Step:
    """A line is sold; when all are, take the money."""
    return noted(_all_sold(_line_to(row, command.line, LineState.SOLD)))


def _all_sold(row: Order) -> Order:
    """CAPTURING once no line waits for its commit any more."""
    waiting = any(line.state is LineState.COMMITTING for line in row.lines)
    return row if waiting else row._replace(pay=Pay.CAPTURING)


def goes_on_without(row: Order, command: LineAnswered, _: Now) -> bool:
    """The order takes what it can get, and others are left."""
    left = [line for line in row.lines if line.state is not LineState.CLOSED and line.line != command.line]
    return row.partial and bool(left)


def gone(row: Order, _: LineAnswered, __: Now) -> Step:
    """A hold ended before it was sold, and its units are somebody else's."""
    return noted(undo(row, Phase.EXPIRED, "hold-gone"))


def gone_without(row: Order, command: LineAnswered, _: Now) -> Step:
    """One line less."""
    closed = _line_to(row, command.line, LineState.CLOSED, int(command.outcome))
    return noted(_all_sold(closed._replace(amount=worth(closed.lines))))


def captured(row: Order, command: PayAnswered, _: Now) -> Step:
    """The money is taken."""
    return noted(_paid(_found(row, command), _amount(row, command)))


def _paid(row: Order, amount: int) -> Order:
    return row._replace(phase=Phase.PAID, pay=Pay.CAPTURED, captured=amount, reason="")


def capture_failed(row: Order, command: PayAnswered, _: Now) -> Step:
    """The money cannot be taken any more."""
    return noted(undo(_found(row, command), Phase.CANCELLED, command.reason or "capture-failed"))


def queued_longer(row: Order, command: Queued, now: Now) -> bool:
    """Its turn comes later than the order's deadline."""
    return min(command.until_ms, row.born_ms + now.rules.queued_max_ms) > row.deadline_ms


def queued(row: Order, command: Queued, now: Now) -> Step:
    """Wait for its turn, and keep the holds."""
    deadline_ms = min(command.until_ms, row.born_ms + now.rules.queued_max_ms)
    step = noted(row._replace(deadline_ms=deadline_ms))
    return step._replace(extend=extensions(row, deadline_ms + now.rules.hold_slack_ms))


def method_now(row: Order, command: Method, _: Now) -> Step:
    """Nothing runs: the next attempt."""
    if not theirs(row, command.customer):
        return NOT_YOURS
    return accepted(authorise(row, command.method))


def method_kept(row: Order, command: Method, _: Now) -> Step:
    """An attempt runs, or is being closed: for the next one. The one that was tried is not tried again."""
    if not theirs(row, command.customer):
        return NOT_YOURS
    if command.method in {row.next_method, row.method}:
        return ACCEPTED
    return accepted(row._replace(next_method=command.method))


def void_done(row: Order, command: PayAnswered, _: Now) -> Step:
    """Nothing is authorised any more."""
    return noted(settle(_found(row, command)._replace(pay=Pay.CLOSED)))


def captured_late(row: Order, command: PayAnswered, _: Now) -> Step:
    """The money was taken before the void came: give it back."""
    return noted(_found(row, command)._replace(pay=Pay.REFUNDING, captured=_amount(row, command)))


def settled(row: Order, command: Settle, _: Now) -> Step:
    """An operator looked: what an unanswered void, capture or refund came to.

    Captured money of an intent that nobody knows the id of could not be given back by us: the operator does it at the
    provider, and says so.
    """
    if command.outcome == "captured" and not row.intent:
        return REFUSED
    named = row._replace(reason=f"settled by {command.operator}: {command.reference}")
    amount = row.amount
    if row.pay is Pay.REFUNDING:
        return accepted(refunded_now(named)) if command.outcome == "refunded" else REFUSED
    if command.outcome == "captured":
        paid = row.pay is Pay.CAPTURING
        return accepted(_paid(named, amount) if paid else named._replace(pay=Pay.REFUNDING, captured=amount))
    closed = named._replace(pay=Pay.CLOSED)
    if command.outcome == "refunded":
        closed = named._replace(pay=Pay.REFUNDED, captured=amount, refunded=amount)
    return accepted(settle(closed) if row.phase is Phase.UNDO else undo(closed, Phase.CANCELLED, named.reason))


def refunded_now(row: Order) -> Order:
    """The refund that was asked for is done."""
    movement = row.movement
    refunded = row.refunded + (movement.amount if movement else row.captured - row.refunded)
    over = row.goal is Phase.REFUNDED or row.phase is Phase.UNDO
    return settle(row._replace(refunded=refunded, pay=Pay.REFUNDED if over else Pay.CAPTURED))


def _found(row: Order, command: PayAnswered) -> Order:
    return row._replace(intent=command.intent) if command.intent else row


def _amount(row: Order, command: PayAnswered) -> int:
    """What was captured; a provider that does not say has taken what was asked for."""
    return command.amount or row.amount


def _why(command: PayAnswered) -> str:
    return command.reason or (PayOutcome.CANCELLED if command.outcome == PayOutcome.CANCELLED else PayOutcome.DECLINED)


def _line_to(row: Order, number: int, state: LineState, reason: int = 0) -> Order:
    def moved(line: OrderLine) -> OrderLine:
        return line._replace(state=state, reason=reason or line.reason) if line.line == number else line

    return row._replace(lines=tuple(moved(line) for line in row.lines))


def line_closed(row: Order, command: LineAnswered, _: Now) -> Step:
    """A hold is let go."""
    return noted(settle(_line_to(row, command.line, LineState.CLOSED)))
