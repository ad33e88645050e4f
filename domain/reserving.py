"""Deciding Reserve and ReserveAll: whether this customer may hold these units now."""

from domain.ids import hold_id
from domain.outcomes import REPEATED, Outcome
from domain.pool import Phase, Pool
from domain.refusals import Refusal
from domain.reservation import NO_TERMS, Row
from domain.state import Inventory
from domain.stock import Granted, Line, Refused, Repeat, Reserve, ReserveAll
from domain.verdict import BUSY, GONE, KEY_REUSED, TOO_LATE, UNKNOWN_SKU, Verdict

_OPEN = Phase.OPEN
_NOT_OPEN = int(Outcome.NOT_OPEN)
_CLOSED = int(Outcome.CLOSED)
_PRICE_CHANGED = int(Outcome.PRICE_CHANGED)
_LIMIT_REACHED = int(Outcome.LIMIT_REACHED)
_ALL_HELD = int(Outcome.ALL_HELD)
_SOLD_OUT = int(Outcome.SOLD_OUT)
_INSUFFICIENT = int(Outcome.INSUFFICIENT)
_GRANTED = int(Outcome.GRANTED)
"""Plain numbers for the hot path: to look a member of an Enum up costs 75 ns, its hash 150."""
_new = tuple.__new__
"""For the hot path: a NamedTuple's own constructor is a Python function and takes twice the time."""
_LACKING = frozenset({_LIMIT_REACHED, _ALL_HELD, _SOLD_OUT, _INSUFFICIENT})
_FORGOTTEN = frozenset({int(Outcome.TOO_LATE), int(Outcome.UNKNOWN_SKU), int(Outcome.BUSY)})
"""Refusals that are never remembered."""


def reserve(state: Inventory, command: Reserve, index: int) -> Verdict:
    """Decide a well-formed Reserve. A row or a remembered refusal of its key answers first."""
    hold, sku, customer, quantity, not_after_ms, fingerprint, max_price, carried = command
    refusal = state.refusals.get(hold)
    row = state.rows.get(hold)
    if row is not None or refusal is not None:
        return again(state, index, sku, fingerprint, row, refusal)
    clk = state.clk
    if clk > not_after_ms:
        return TOO_LATE
    pool = state.pools.get(sku)
    if pool is None:
        return UNKNOWN_SKU
    outcome = judge(state, pool, customer, quantity, max_price)
    if outcome == _GRANTED:
        price, currency, _, hold_ms, _ = pool.policy
        deadline_ms = clk + hold_ms
        grant = _new(
            Granted, (index, hold, sku, customer, quantity, price, currency, deadline_ms, fingerprint, carried)
        )
        return _new(Verdict, (outcome, (grant,), (), None))
    if outcome in _LACKING and due_now(pool, clk):
        return Verdict(outcome, lacking=pool)
    if state.refusals.count >= state.rules.refusals_max:
        return BUSY
    refused = _new(Refused, (index, hold, outcome, fingerprint))
    return _new(Verdict, (outcome, (refused,), (), None))


def judge(state: Inventory, pool: Pool, customer: bytes, quantity: int, max_price: int) -> int:
    """What a new question comes to, from the pool's phase, price, limit and units, in this order."""
    outcome = barred(pool, max_price)
    if outcome:
        return outcome
    counted = state.counts.get(customer, pool.key)
    return afford(counted + quantity, pool.policy.limit, quantity, pool.available, pool.held)


def barred(pool: Pool, max_price: int) -> int:
    """What any request for units of the pool at this price is refused for, 0 if it is not."""
    if pool.phase is not _OPEN:
        return _CLOSED if pool.phase is Phase.CLOSED else _NOT_OPEN
    return _PRICE_CHANGED if 0 <= max_price < pool.policy.price else 0


def afford(counted: int, limit: int, quantity: int, available: int, held: int) -> int:
    """What a request comes to by the limit (`counted`: with these units) and the units, in this order.

    ALL_HELD: it would do if holds came back. SOLD_OUT: nothing is available or held. INSUFFICIENT: there is or may
    come something, but never this many.
    """
    if counted > limit:
        return _LIMIT_REACHED
    if quantity <= available:
        return _GRANTED
    if quantity <= available + held:
        return _ALL_HELD
    return _INSUFFICIENT if available or held else _SOLD_OUT


def due_now(pool: Pool, clk: int) -> bool:
    """Whether live holds of the pool are due."""
    times = pool.deadlines.times
    if not times or times[0] > clk:
        return False
    deadline_ms = pool.deadlines.next_ms()
    return deadline_ms is not None and deadline_ms <= clk


def again(
    state: Inventory, index: int, sku: str, fingerprint: bytes, row: Row | None, refusal: Refusal | None
) -> Verdict:
    """The first answer again, or KEY_REUSED for other content.

    A remembered refusal comes before the tombstone of a Release that followed it. A row that nothing was granted for
    (only released) is GONE. The sku is compared too, so that what is repeated is no longer than what was sent.
    """
    if refusal is not None:
        if refusal.fingerprint != fingerprint:
            return KEY_REUSED
        repeat = Repeat(index, refusal.hold, refusal.offset, refusal.position)
        return Verdict(refusal.outcome | REPEATED, (), (repeat,))
    if row is None or row.terms == NO_TERMS:
        return GONE
    terms = state.terms[row.terms - 1]
    if row.fingerprint != fingerprint or terms.pool.sku != sku:
        return KEY_REUSED
    repeat = Repeat(
        index,
        row.hold,
        row.offset,
        row.position,
        sku,
        row.customer,
        row.quantity,
        terms.price,
        terms.currency,
        row.deadline_ms,
    )
    return Verdict(_GRANTED | REPEATED, (), (repeat,))


def reserve_all(state: Inventory, command: ReserveAll, index: int, lines_left: int) -> Verdict:
    """Decide a well-formed ReserveAll.

    Lines whose key has an answer repeat it. Mode all: if any line has one, the command was decided before and that is
    its answer; else all lines are granted or none: what a line was refused for itself stands for it, SIBLING_REFUSED
    for the others; the command's code is the line's that comes first in precedence. Nothing is remembered if that
    code is one that never is (too-late, unknown-sku, busy). More lines than the record may still have: BUSY, also for
    a repeat. Mode partial: every line for itself; GRANTED if any line
    is. The flag REPEATED is set only if nothing was decided anew. `carried` goes into the first grant alone, so that
    a record's size is bounded by its batch's.
    """
    if len(command.lines) > lines_left:
        return BUSY
    known: list[Verdict | None] = []
    for line in command.lines:
        hold = hold_id(command.order, line.line)
        row, refusal = state.rows.get(hold), state.refusals.get(hold)
        found = row is not None or refusal is not None
        known.append(again(state, index, line.sku, command.fingerprint, row, refusal) if found else None)
    answered = [verdict for verdict in known if verdict is not None]
    if KEY_REUSED in answered:
        return KEY_REUSED
    repeats = tuple(repeat for verdict in answered for repeat in verdict.repeats)
    if len(answered) == len(known) or (repeats and not command.partial):
        code = _first_code([verdict.outcome & ~REPEATED for verdict in answered])
        return Verdict(code | REPEATED if repeats else code, (), repeats)
    return _decide_lines(state, command, index, known, repeats)


def _first_code(outcomes: list[int]) -> int:
    """GRANTED if any line is; else the first in precedence, SIBLING_REFUSED only if there is no other."""
    if _GRANTED in outcomes:
        return _GRANTED
    return min((code for code in outcomes if code != Outcome.SIBLING_REFUSED), default=int(Outcome.SIBLING_REFUSED))


def _line(state: Inventory, command: ReserveAll, line: Line) -> tuple[int, Pool | None]:
    """What a new line comes to by itself, and its pool if due holds of it must be swept before that counts."""
    if state.clk > command.not_after_ms:
        return Outcome.TOO_LATE, None
    pool = state.pools.get(line.sku)
    if pool is None:
        return Outcome.UNKNOWN_SKU, None
    outcome = judge(state, pool, command.customer, line.quantity, line.max_price)
    return outcome, pool if outcome in _LACKING and due_now(pool, state.clk) else None


def _decide_lines(
    state: Inventory, command: ReserveAll, index: int, known: list[Verdict | None], repeats: tuple[Repeat, ...]
) -> Verdict:
    outcomes: list[int] = []
    for line, verdict in zip(command.lines, known, strict=True):
        if verdict is not None:
            outcomes.append(verdict.outcome & ~REPEATED)
            continue
        outcome, lacking = _line(state, command, line)
        if lacking is not None:
            return Verdict(outcome, lacking=lacking)
        outcomes.append(outcome)
    if not command.partial and any(outcome != _GRANTED for outcome in outcomes):
        code = min(outcome for outcome in outcomes if outcome != _GRANTED)
        if code in _FORGOTTEN:
            return Verdict(code)
        outcomes = [Outcome.SIBLING_REFUSED if outcome == _GRANTED else outcome for outcome in outcomes]
    changes = _line_changes(state, command, index, known, outcomes)
    refused = sum(type(change) is Refused for change in changes)
    if state.refusals.count + refused > state.rules.refusals_max:
        return BUSY
    return Verdict(_first_code(outcomes), tuple(changes), repeats)


def _line_changes(
    state: Inventory, command: ReserveAll, index: int, known: list[Verdict | None], outcomes: list[int]
) -> list[Granted | Refused]:
    changes: list[Granted | Refused] = []
    carried = command.carried
    for line, verdict, outcome in zip(command.lines, known, outcomes, strict=True):
        if verdict is not None or outcome in _FORGOTTEN:
            continue
        hold = hold_id(command.order, line.line)
        if outcome != _GRANTED:
            changes.append(Refused(index, hold, outcome, command.fingerprint))
            continue
        policy = state.pools[line.sku].policy
        changes.append(
            Granted(
                index,
                hold,
                line.sku,
                command.customer,
                line.quantity,
                policy.price,
                policy.currency,
                state.clk + policy.hold_ms,
                command.fingerprint,
                carried,
            )
        )
        carried = b""
    return changes
