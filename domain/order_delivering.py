"""After the money: booked, shipped, delivered; units that come back and money that goes back; hints and orphans."""

from domain.order_asks import going_back, pay_ask
from domain.order_changes import Asks, PayAsk
from domain.order_paying import refunded_now
from domain.order_row import NO_GOODS, Known, Movement, Order, OrderLine
from domain.order_step import (
    ACCEPTED,
    NOT_YOURS,
    REFUSED,
    UNCHANGED,
    UNKNOWN_ORDER,
    Now,
    Step,
    Tell,
    accepted,
    noted,
    theirs,
)
from domain.order_undo import settle, undo
from domain.orders import (
    ALL_LINES,
    Ask,
    Booked,
    Cancel,
    Deliver,
    Hint,
    LineAnswered,
    LineState,
    OrphanClosed,
    Pay,
    PayAnswered,
    Phase,
    Refund,
    Ship,
    TakeBack,
)
from domain.outcomes import Outcome


def booked(row: Order, _: Booked, __: Now) -> Step:
    """The order stands in the system of record: what it carried for payment leaves."""
    return noted(row._replace(phase=Phase.CONFIRMED, method="", next_method="", action="", reason=""))


def cancel(row: Order, command: Cancel, _: Now) -> Step:
    """Let go, unless goods left the house."""
    if not theirs(row, command.customer):
        return NOT_YOURS
    if any(line.shipped for line in row.lines):
        return REFUSED
    return accepted(undo(row, Phase.CANCELLED, "cancelled"))


def cancelled_already(known: Known, command: Cancel, _: Now) -> Step:
    """It is on its way back, or never went anywhere."""
    return ACCEPTED if theirs(known, command.customer) else NOT_YOURS


def cancel_refused(known: Known, command: Cancel, _: Now) -> Step:
    """The goods left the house."""
    return REFUSED if theirs(known, command.customer) else NOT_YOURS


def _chosen(row: Order, line: int) -> list[OrderLine]:
    """The sold lines that a wish is about."""
    sold = [one for one in row.lines if one.state is LineState.SOLD]
    return [one for one in sold if line in {ALL_LINES, one.line}]


def _with(row: Order, changed: dict[int, OrderLine]) -> Order:
    return row._replace(lines=tuple(changed.get(line.line, line) for line in row.lines))


def _moved(row: Order, changed: dict[int, OrderLine]) -> Order:
    """Goods moved: what an earlier refund was for is no reason of this."""
    return _with(row, changed)._replace(reason="")


def ship(row: Order, command: Ship, _: Now) -> Step:
    """Units left the house; SHIPPED when all have."""
    changed = {}
    for line in _chosen(row, command.line):
        quantity = line.quantity - line.shipped if command.line == ALL_LINES else command.quantity
        if line.shipped + quantity > line.quantity:
            return REFUSED
        changed[line.line] = line._replace(shipped=line.shipped + quantity)
    if not changed:
        return REFUSED
    after = _moved(row, changed)
    whole = all(line.shipped == line.quantity for line in after.lines if line.state is LineState.SOLD)
    return accepted(after._replace(phase=Phase.SHIPPED) if whole else after)


def deliver(row: Order, command: Deliver, _: Now) -> Step:
    """Shipped units arrived; DELIVERED when all units have, or are back already."""
    changed = {}
    for line in _chosen(row, command.line):
        left = max(0, line.shipped - line.delivered - line.returned)
        quantity = left if command.line == ALL_LINES else command.quantity
        if line.delivered + quantity > line.shipped:
            return REFUSED
        changed[line.line] = line._replace(delivered=line.delivered + quantity)
    after = _moved(row, changed)
    if row.phase is Phase.CONFIRMED:
        return accepted(after) if changed and after.lines != row.lines else REFUSED
    if not changed:
        return REFUSED
    sold = [line for line in after.lines if line.state is LineState.SOLD]
    whole = all(line.delivered + line.returned >= line.quantity for line in sold)
    return accepted(after._replace(phase=Phase.DELIVERED) if whole else after)


def already(_: Order, command: Ship | Deliver, __: Now) -> Step:
    """All of it: it is so. Some of it: more than there is."""
    return ACCEPTED if command.line == ALL_LINES else REFUSED


def take_back(row: Order, command: TakeBack, _: Now) -> Step:
    """Units come back and their price goes back, both at once."""
    refundable = row.captured - row.refunded
    movement = Movement(command.key, command.line, command.quantity, command.restock, 0)
    going = row._replace(movement=movement)
    backs = {line.line: going_back(going, line) for line in _chosen(row, command.line)}
    if not sum(backs.values()):
        return REFUSED
    amount = 0
    changed = {}
    for line in row.lines:
        back = backs.get(line.line, 0)
        if line.returned + back > line.quantity:
            return REFUSED
        if back:
            amount += back * line.unit_price
            changed[line.line] = line._replace(state=LineState.RETURNING)
    all_back = all(
        line.returned + backs.get(line.line, 0) == line.quantity or line.state is LineState.CLOSED for line in row.lines
    )
    amount = refundable if all_back else min(amount, refundable)
    over = all_back or 0 < amount == refundable
    return accepted(_returning(_with(row, changed), movement._replace(amount=amount), "", over=over))


def refund(row: Order, command: Refund, _: Now) -> Step:
    """Money goes back without goods."""
    refundable = row.captured - row.refunded
    if command.amount > refundable:
        return REFUSED
    movement = Movement(command.key, NO_GOODS, 0, restock=False, amount=command.amount)
    return accepted(_returning(row, movement, command.reason, over=command.amount == refundable))


def _returning(row: Order, movement: Movement, reason: str, *, over: bool) -> Order:
    """REFUND_PENDING; afterwards REFUNDED if everything is over, else where it was."""
    goal = Phase.REFUNDED if over else row.phase
    return row._replace(phase=Phase.RETURNING, goal=goal, pay=Pay.REFUNDING, reason=reason, movement=movement)


def returned(row: Order, command: LineAnswered, _: Now) -> Step:
    """Stock has the units of a line back."""
    changed = {}
    for line in row.lines:
        if line.line == command.line:
            back = line.returned + going_back(row, line)
            state = LineState.RETURNED if back == line.quantity else LineState.SOLD
            changed[line.line] = line._replace(returned=back, state=state)
    return noted(settle(_with(row, changed)))


def returns_this(row: Order, command: LineAnswered, _: Now) -> bool:
    """It answers the return under way, not the one before."""
    return row.movement is not None and command.reference == row.movement.reference


def refunds_this(row: Order, command: PayAnswered, _: Now) -> bool:
    """It answers the refund under way."""
    return command.key == (row.movement.key.hex() if row.movement else "")


def refunded(row: Order, _: PayAnswered, __: Now) -> Step:
    """The money is back."""
    return noted(refunded_now(row))


def went_all_the_way(known: Known, _: Cancel, __: Now) -> bool:
    """Refunded after it was delivered, not on the way back of a cancel."""
    return known.goal is Phase.REFUNDED


def room_to_move(_: Order, __: TakeBack | Refund, now: Now) -> bool:
    """The order has not had as many returns and refunds as it may."""
    return len(now.moves) < now.rules.movements_max


def wish_for_nothing(_: None, __: object, ___: Now) -> Step:
    """Nobody has heard of the order."""
    return UNKNOWN_ORDER


def wish_refused(known: Known, command: object, _: Now) -> Step:
    """Not now: nothing changes, and nothing is remembered of the wish."""
    return REFUSED if theirs(known, getattr(command, "customer", b"")) else NOT_YOURS


def hint_own(row: Order, command: Hint, _: Now) -> bool:
    """About the intent that the order works with."""
    return command.attempt == row.attempt and (not row.intent or command.intent in {"", row.intent})


def look(row: Order, command: Hint, _: Now) -> Step:
    """Something happened to the intent: find out what."""
    ask = pay_ask(row, Ask.LOOK)._replace(intent=row.intent or command.intent)
    return Step(Outcome.NOTED, tell=Tell("requested", Asks(pay=ask), "", row.attempt, ask.intent))


def hint_known(_: Order, __: Hint, ___: Now) -> Step:
    """The money is where it should be."""
    return UNCHANGED


def orphan(_: Known | None, command: Hint, __: Now) -> Step:
    """Money for no living attempt: close it if it is alive."""
    asks = Asks(pay=PayAsk(Ask.ORPHAN, command.attempt, intent=command.intent))
    return Step(Outcome.NOTED, tell=Tell("requested", asks, "", command.attempt, command.intent))


def orphan_closed(_: Known | None, command: OrphanClosed, __: Now) -> Step:
    """Told, for the record."""
    tell = Tell("orphan-closed", Asks(), command.outcome, command.attempt, command.intent, command.amount)
    return Step(Outcome.NOTED, tell=tell)
