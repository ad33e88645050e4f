"""The order's decider: one command, or a moment that has come, against the state, by the table of order_table.py.

`decide` is pure, as in domain/inventory.py: `evolve` (domain/order_evolve.py) follows with the changes, for the owner
and every other reader alike. What an order asks of others is `react` of each step (domain/order_asks.py), and, when
nobody answers, `resume`: what is still owed, from the state alone.
"""

from typing import Any, NamedTuple

from domain.order_asks import owed, react
from domain.order_changes import (
    BY_TIME,
    NO_ASKS,
    Begun,
    Buried,
    Noticed,
    OrderChange,
    Resumed,
    StockAsk,
)
from domain.order_events import Event, event_of
from domain.order_evolve import opening, stepped
from domain.order_row import Known, Order
from domain.order_rules import OrderRules
from domain.order_shapes import WELL_FORMED_ORDER
from domain.order_state import Orders
from domain.order_step import UNCHANGED, Now, Step
from domain.order_table import find
from domain.orders import (
    Booked,
    Born,
    Cancel,
    Deliver,
    Hint,
    LineAnswered,
    Method,
    OrderCommand,
    OrphanClosed,
    PayAnswered,
    Place,
    PlacedLine,
    Queued,
    Refund,
    Reserved,
    Settle,
    Ship,
    TakeBack,
)
from domain.outcomes import InvariantViolatedError, Outcome
from domain.roles import Role

ALLOWED: dict[Role, frozenset[type]] = {
    Role.GATEWAY: frozenset({Place, Cancel, Method, Hint}),
    Role.OPS: frozenset({Cancel, Method, Ship, Deliver, TakeBack, Refund, Settle}),
    Role.RELAY: frozenset({Born, Reserved, LineAnswered}),
    Role.PAYMENT: frozenset({PayAnswered, Queued, OrphanClosed, Hint}),
    Role.CONFIRMATION: frozenset({Booked}),
    Role.ORDER: frozenset(),
    Role.WORKER: frozenset(),
}
"""Who may send what; anything else is FORBIDDEN."""
REPLIED_TO = frozenset({Role.GATEWAY, Role.OPS})
"""Whose batches are answered by an event of their own: clients wait for what becomes of their wishes."""
_NO_MOVES: dict[bytes, Any] = {}


class OrderVerdict(NamedTuple):
    """What a command comes to: a wire code, and the changes that make it so."""

    outcome: int
    changes: tuple[OrderChange, ...] = ()


_MALFORMED = OrderVerdict(Outcome.MALFORMED)
_FORBIDDEN = OrderVerdict(Outcome.FORBIDDEN)
_UNCHANGED = OrderVerdict(Outcome.UNCHANGED)


def decide(state: Orders, command: OrderCommand, role: Role, index: int, lines_left: int) -> OrderVerdict:
    """What the command comes to. `lines_left`: lines that answers may still ask stock for in this record."""
    if not WELL_FORMED_ORDER[type(command)](command, role, state.clk + state.rules.ahead_max_ms):
        return _MALFORMED
    if type(command) not in ALLOWED[role]:
        return _FORBIDDEN
    event = event_of(command)
    if event is None:
        return _UNCHANGED
    order = command.order
    known = state.get(order, state.clk)
    customer = command.customer if isinstance(command, Cancel) else b""
    buried = (state.early_count.get(customer, 0), len(state.early))
    moves = state.moves.get(order, _NO_MOVES)
    now = Now(state.clk, state.src, index, state.home, role, state.rules, lines_left, buried, moves)
    rule = find(known, event, command, now)
    if rule is None:
        return _UNCHANGED
    return _verdict(rule.step(known, command, now), known, command, event, now)


def _verdict(step: Step, known: Known | None, command: OrderCommand, event: Event, now: Now) -> OrderVerdict:
    if step.bury:
        return OrderVerdict(step.outcome, (Buried(now.index, command.order, getattr(command, "customer", b"")),))
    if step.tell is not None:
        version, public = (known.version, known.public) if known else (0, "")
        pay = known.pay if isinstance(known, Order) else ""
        told = Noticed(
            now.index, command.order, step.tell.kind, event, version, public, step.tell.asks, pay, *step.tell[2:]
        )
        return OrderVerdict(step.outcome, (told,))
    if step.row is None:
        return OrderVerdict(step.outcome)
    if isinstance(known, Order):
        return OrderVerdict(step.outcome, (_change(known, step.row, now, event, step.extend),))
    row = step.row
    lines = tuple(PlacedLine(*line[:5]) for line in row.lines)
    begun = Begun(
        now.index,
        row.order,
        row.customer,
        row.fingerprint,
        row.offset,
        row.position,
        row.partial,
        lines,
        step.shipping,
    )
    fresh = opening(begun, known.version if known else 0, now.clk)
    before = fresh._replace(public=row.public, sequence=row.sequence)
    return OrderVerdict(step.outcome, (begun, _change(before, row, now, event, first=True)))


def _change(
    before: Order, after: Order, now: Now, event: Event, extend: tuple[StockAsk, ...] = (), *, first: bool = False
) -> OrderChange:
    """The change, with what it asks for, and when that is asked for again."""
    due = owed(after)
    asks = react(NO_ASKS if first else owed(before), due)
    if asks.pay is not None:
        after = after._replace(asked_ms=now.clk)
        asks = asks._replace(pay=asks.pay._replace(asked_ms=now.clk))
    if asks is not NO_ASKS:
        after = after._replace(resume_ms=now.clk + now.rules.resume_first_ms, tries=0)
    elif due == NO_ASKS and after.resume_ms:
        after = after._replace(resume_ms=0, tries=0)
    return stepped(after, now.index, event, asks._replace(stock=asks.stock + extend) if extend else asks, before)


def sweep(state: Orders) -> OrderChange | None:
    """The next order whose deadline has come, by (deadline, id), turned round."""
    row = state.deadlines.due(state.rows, state.clk)
    if row is None:
        return None
    now = Now(state.clk, state.src, BY_TIME, state.home, Role.WORKER, state.rules, 0, (0, 0), _NO_MOVES)
    rule = find(row, Event.DUE, None, now)
    step = rule.step(row, None, now) if rule else UNCHANGED
    if step.row is None:
        message = f"order {row.order.hex()} has a deadline that means nothing"
        raise InvariantViolatedError(message)
    return _change(row, step.row, now, Event.DUE)


def resume(state: Orders) -> Resumed | None:
    """The next order that waited too long for an answer, by (time, id), asks again for all that it is owed."""
    row = state.resumes.due(state.rows, state.clk)
    if row is None:
        return None
    rules = state.rules
    return Resumed(
        row.order, row.version, row.public, state.clk + pause_ms(rules, row.tries + 1), row.tries + 1, owed(row)
    )


def pause_ms(rules: OrderRules, tries: int) -> int:
    """How long an answer is waited for after `tries` repeats."""
    return min(rules.resume_last_ms, rules.resume_first_ms << min(tries, 16))
