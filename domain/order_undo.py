"""The way back: UNDO turns everything that an order has into requests to undo it, SETTLE ends it when all are answered.

UNDO(goal): deadline off; lines a, h, c, s -> r, w -> x; money N -> X; A, H, C -> V; W -> V; K -> R.
SETTLE: in UNDO when all lines are x or u and the money is X or F: REFUNDED if it is F, else the goal. In RETURNING when
no line is t any more and the money is not R: the goal.
"""

from domain.order_row import Order
from domain.orders import LineState, Pay, Phase

_LINE_BACK = {
    LineState.WAITING: LineState.CLOSED,
    LineState.RESERVING: LineState.RELEASING,
    LineState.HELD: LineState.RELEASING,
    LineState.COMMITTING: LineState.RELEASING,
    LineState.SOLD: LineState.RELEASING,
}
_PAY_BACK = {
    Pay.NONE: Pay.CLOSED,
    Pay.AUTHORISING: Pay.VOIDING,
    Pay.ABANDONING: Pay.VOIDING,
    Pay.AUTHORISED: Pay.VOIDING,
    Pay.CAPTURING: Pay.VOIDING,
    Pay.CAPTURED: Pay.REFUNDING,
}
_LINE_OVER = frozenset({LineState.CLOSED, LineState.RETURNED})
_PAY_OVER = frozenset({Pay.CLOSED, Pay.REFUNDED})


def undo(row: Order, goal: Phase, reason: str) -> Order:
    """Turn round, towards REJECTED, EXPIRED or CANCELLED."""
    back = tuple(line._replace(state=_LINE_BACK.get(line.state, line.state)) for line in row.lines)
    pay = _PAY_BACK.get(row.pay, row.pay)
    turned = row._replace(phase=Phase.UNDO, goal=goal, reason=reason, deadline_ms=0, lines=back, pay=pay)
    return settle(turned._replace(next_method="", action=""))


def settle(row: Order) -> Order:
    """End what has nothing left to wait for; the same row otherwise."""
    if row.phase is Phase.UNDO:
        if row.goal and row.pay in _PAY_OVER and all(line.state in _LINE_OVER for line in row.lines):
            return row._replace(phase=Phase.REFUNDED if row.pay is Pay.REFUNDED else row.goal)
    elif row.phase is Phase.RETURNING and row.goal:
        waiting = any(line.state is LineState.RETURNING for line in row.lines)
        if row.pay is not Pay.REFUNDING and not waiting:
            return row._replace(phase=row.goal, goal=row.goal if row.goal is Phase.REFUNDED else None, movement=None)
    return row
