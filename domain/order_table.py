"""The order's state machine as data: in which phases an event does what, under which guard, by which step.

One row here is one row of docs/reference/order-states.md, which is generated from it; `guard`, `becomes` and `asks` are
what it says there. The rows of an event are tried from the top, the first that applies counts; where none does, nothing
changes and nothing is asked. `pay` and `line`: the states of the money and of the named line that a row is for ("" =
any).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from domain import order_delivering as later
from domain import order_paying as pay
from domain import order_starting as start
from domain.order_events import Event
from domain.order_moves import same_move, seen_move, seen_otherwise
from domain.order_row import FINALS, Known, Order
from domain.order_step import Now, Step
from domain.orders import Phase

NONE = "none"
"""Phase of an order that nobody has heard of."""
_P = Phase
_BACK = frozenset({_P.UNDO})
_LIVING = frozenset(_P) - FINALS - {_P.EARLY}
_ANY = frozenset({NONE, *_P})
_KNOWN = frozenset(_P)
_ROWS = _KNOWN - {_P.EARLY}
_SOLD = frozenset({_P.SHIPPED, _P.DELIVERED})


class Rule(NamedTuple):
    """One row. `when` is the guard in code (None: always), `guard` the same in words."""

    phases: frozenset[str]
    event: Event
    step: Callable[[Any, Any, Now], Step]
    becomes: str
    asks: str = ""
    pay: str = ""
    line: str = ""
    when: Callable[[Any, Any, Now], bool] | None = None
    guard: str = ""


def _in(*phases: str) -> frozenset[str]:
    return frozenset(phases)


TABLE: tuple[Rule, ...] = (
    # --- the start --------------------------------------------------------------------------------------------------
    Rule(_in(_P.EARLY), Event.BORN, start.born_cancelled, "UNDO (cancelled)", "release",
         when=start.whose, guard="the same customer, or an operator"),
    Rule(_in(NONE, _P.EARLY), Event.BORN, start.born, "PENDING, line h, money A (no method: N)", "authorise",
         when=start.born_in_time, guard="before the hold's deadline - 5 s"),
    Rule(_in(NONE, _P.EARLY), Event.BORN, start.born_late, "no row", "release"),
    Rule(_ROWS, Event.BORN, start.born_otherwise, "same", "release that hold; key-reused",
         when=start.other_born, guard="other content or receipt"),
    Rule(_in(_P.EARLY), Event.PLACE, start.place_cancelled, "CANCELLED, no lines",
         when=start.whose, guard="the same customer, or an operator"),
    Rule(_in(NONE, _P.EARLY), Event.PLACE, start.place, "CREATED, lines a of the first partition, others w", "reserve"),
    Rule(_ROWS, Event.PLACE, start.key_reused, "same", "key-reused",
         when=start.other_place, guard="other content"),
    Rule(_ROWS, Event.PLACE, start.place_again, "same"),
    Rule(_in(NONE), Event.CANCEL, start.cancel_early, "EARLY"),
    Rule(_in(_P.CREATED), Event.RESERVED, start.reserved,
         "lines h or x; then the next partition, PENDING, UNDO (rejected, expired), or REJECTED when nothing is held",
         "reserve, authorise, or release",
         when=start.answers_waiting, guard="lines a of that partition, stock decided"),
    # --- the money --------------------------------------------------------------------------------------------------
    Rule(_in(_P.PENDING), Event.AUTHORISED, pay.authorised, "money H, lines c, no deadline", "commit each", pay="A"),
    Rule(_in(_P.PENDING), Event.ACTION_REQUIRED, pay.action_required, "same, action kept", pay="A"),
    Rule(_in(_P.PENDING), Event.DECLINED, pay.declined_for_good, "UNDO (cancelled)", "void, release", pay="A",
         when=pay.last_attempt, guard="attempt = 3"),
    Rule(_in(_P.PENDING), Event.DECLINED, pay.declined, "money W", "void", pay="A"),
    Rule(_in(_P.PENDING), Event.VOIDED, pay.voided_attempt, "attempt + 1, money A (no newer method: N)", "authorise",
         pay="W"),
    Rule(_in(_P.PENDING), Event.VOID_LATE, pay.captured_attempt, "UNDO (cancelled), money R", "refund, release",
         pay="W"),
    Rule(_in(_P.PENDING), Event.METHOD, pay.method_now, "attempt + 1, money A", "authorise", pay="N"),
    Rule(_in(_P.PENDING), Event.METHOD, pay.method_kept, "same, the method kept for the next attempt", pay="AW"),
    Rule(_in(_P.PENDING), Event.QUEUED, pay.queued, "a later deadline, start + 14 min at most", "extend each", pay="A",
         when=pay.queued_longer, guard="later than the deadline"),
    Rule(_in(_P.PENDING), Event.COMMITTED, pay.committed, "line s; when all are: money C", "capture", pay="H",
         line="c"),
    Rule(_in(_P.PENDING), Event.GONE, pay.gone_without, "line x, a lower amount", "capture when all are sold", pay="H",
         line="c", when=pay.goes_on_without, guard="partial, others left"),
    Rule(_in(_P.PENDING), Event.GONE, pay.gone, "UNDO (expired)", "void, release all", pay="H", line="c"),
    Rule(_in(_P.PENDING), Event.CAPTURED, pay.captured, "PAID, money K", "confirm", pay="C"),
    Rule(_in(_P.PENDING), Event.CAPTURE_FAILED, pay.capture_failed, "UNDO (cancelled)", "void, release", pay="C"),
    Rule(_in(_P.CREATED), Event.DUE, start.due, "UNDO (expired)", "release"),
    Rule(_in(_P.PENDING), Event.DUE, start.due, "UNDO (expired)", "release, void", pay="NAW"),
    # --- the way back -----------------------------------------------------------------------------------------------
    Rule(_BACK, Event.RELEASED, pay.line_closed, "line x, SETTLE (REJECTED, EXPIRED, CANCELLED, REFUNDED)", line="r"),
    Rule(_BACK, Event.VOIDED, pay.void_done, "money X, SETTLE (EXPIRED, CANCELLED)", pay="V"),
    Rule(_BACK, Event.VOID_LATE, pay.captured_late, "money R", "refund", pay="V"),
    Rule(_BACK, Event.CAPTURED, pay.captured_late, "money R", "refund", pay="V"),
    Rule(_BACK, Event.REFUNDED, later.refunded, "money F, SETTLE (REFUNDED)", pay="R",
         when=later.refunds_this, guard="the refund under way"),
    Rule(_in(_P.RETURNING), Event.REFUNDED, later.refunded, "money F or K, SETTLE (SHIPPED, DELIVERED, REFUNDED)",
         pay="R", when=later.refunds_this, guard="the refund under way"),
    Rule(_in(_P.RETURNING), Event.RETURNED, later.returned, "line u (a part: s), SETTLE (SHIPPED, DELIVERED, REFUNDED)",
         line="t", when=later.returns_this, guard="the return under way"),
    Rule(_in(_P.PENDING), Event.SETTLE, pay.settled, "PAID, money K; or UNDO (cancelled), money X or F",
         "confirm, or release", pay="C"),
    Rule(_BACK, Event.SETTLE, pay.settled, "money X, R or F, SETTLE (EXPIRED, CANCELLED, REFUNDED)",
         "refund or nothing", pay="V"),
    Rule(_BACK, Event.SETTLE, pay.settled, "money F, SETTLE (REFUNDED)", pay="R"),
    Rule(_in(_P.RETURNING), Event.SETTLE, pay.settled, "money F or K, SETTLE (SHIPPED, DELIVERED, REFUNDED)", pay="R"),
    # --- wishes -----------------------------------------------------------------------------------------------------
    Rule(_in(_P.CREATED, _P.PENDING, _P.PAID, _P.CONFIRMED), Event.CANCEL, later.cancel,
         "UNDO (cancelled); REFUSED where units were shipped", "release, void or refund"),
    Rule(_in(_P.REFUNDED), Event.CANCEL, later.cancel_refused, "same; REFUSED",
         when=later.went_all_the_way, guard="sold and refunded"),
    Rule(_in(_P.SHIPPED, _P.DELIVERED, _P.RETURNING), Event.CANCEL, later.cancel_refused, "same; REFUSED"),
    Rule(_BACK | FINALS | {_P.EARLY}, Event.CANCEL, later.cancelled_already, "same; ACCEPTED"),
    Rule(_in(_P.PAID), Event.BOOKED, later.booked, "CONFIRMED"),
    Rule(_in(_P.CONFIRMED), Event.SHIP, later.ship, "shipped grows; SHIPPED when all is"),
    Rule(_SOLD, Event.SHIP, later.already, "same; ACCEPTED for all lines"),
    Rule(_in(_P.CONFIRMED), Event.DELIVER, later.deliver, "delivered grows up to what is shipped"),
    Rule(_in(_P.SHIPPED), Event.DELIVER, later.deliver, "delivered grows; DELIVERED when all is"),
    Rule(_in(_P.DELIVERED), Event.DELIVER, later.already, "same; ACCEPTED for all lines"),
    *(
        rule
        for event, step, becomes, asks in (
            (Event.TAKE_BACK, later.take_back, "RETURNING, lines t, money R", "return each, refund"),
            (Event.REFUND, later.refund, "RETURNING, money R", "refund"),
        )
        for rule in (
            Rule(_ROWS, event, same_move, "same; the first answer again", when=seen_move, guard="key and content seen"),
            Rule(_ROWS, event, start.key_reused, "same", when=seen_otherwise, guard="key seen with other content"),
            Rule(_SOLD, event, step, becomes, asks, when=later.room_to_move, guard="at most 64 of an order"),
        )
    ),
    # --- the provider's hints ---------------------------------------------------------------------------------------
    Rule(_LIVING, Event.HINT, later.look, "same", "look", pay="AWCVR",
         when=later.hint_own, guard="the attempt's intent"),
    Rule(_LIVING, Event.HINT, later.hint_known, "same", pay="HKF", when=later.hint_own, guard="the attempt's intent"),
    Rule(_ANY, Event.HINT, later.orphan, "same", "orphan"),
    Rule(_ANY, Event.ORPHAN_CLOSED, later.orphan_closed, "same", "orphan-closed"),
    # --- wishes that do not fit -------------------------------------------------------------------------------------
    *(
        rule
        for event in (Event.METHOD, Event.SHIP, Event.DELIVER, Event.TAKE_BACK, Event.REFUND, Event.SETTLE)
        for rule in (
            Rule(_KNOWN, event, later.wish_refused, "same; REFUSED"),
            Rule(_in(NONE), event, later.wish_for_nothing, "no row; UNKNOWN_ORDER"),
        )
    ),
)  # fmt: skip


def _indexed(table: Sequence[Rule]) -> Mapping[tuple[str, Event], tuple[Rule, ...]]:
    index: dict[tuple[str, Event], tuple[Rule, ...]] = {}
    for rule in table:
        for phase in rule.phases:
            index[phase, rule.event] = (*index.get((phase, rule.event), ()), rule)
    return index


BY_PHASE = _indexed(TABLE)


OF_ATTEMPT = frozenset({
    Event.AUTHORISED, Event.ACTION_REQUIRED, Event.DECLINED, Event.VOIDED, Event.VOID_LATE, Event.CAPTURED,
    Event.CAPTURE_FAILED, Event.REFUNDED, Event.QUEUED,
})  # fmt: skip
"""What is said about one attempt at the money."""


def applies(rule: Rule, row: Any, command: Any, now: Now) -> bool:
    """Whether a rule of the row's phase and the event's kind is the one for this very row and command."""
    if rule.pay and row.pay not in rule.pay:
        return False
    if rule.line and not any(line.line == command.line and line.state == rule.line for line in row.lines):
        return False
    return rule.when is None or rule.when(row, command, now)


def find(row: Known | None, event: Event, command: Any, now: Now) -> Rule | None:
    """The first rule that applies, None if nothing is to happen: an answer about another attempt is none."""
    if event in OF_ATTEMPT and (not isinstance(row, Order) or row.attempt != command.attempt):
        return None
    for rule in BY_PHASE.get((NONE if row is None else row.phase, event), ()):
        if applies(rule, row, command, now):
            return rule
    return None
