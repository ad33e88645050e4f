"""From changes to the next state of the orders: for the owner after `decide`, and for every other reader alike.

An exception here is a bug or a record that does not fit the state (InvariantViolatedError): the partition stops.
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.order_changes import Asks, Begun, Buried, Core, Noticed, Resumed, Stepped, Terms, Texts
from domain.order_row import FINALS, Order, OrderLine, Stub, fresh_lines, letters, passed, shown
from domain.order_state import Orders
from domain.orders import LineState, Pay, Phase
from domain.outcomes import InvariantViolatedError

_STATIC = slice(Order._fields.index("phase"))
_CORE = slice(Order._fields.index("phase"), Order._fields.index("currency"))
_TEXTS = slice(_CORE.stop, Order._fields.index("version"))
_TERMS = slice(OrderLine._fields.index("unit_price"), None)
_LETTERS = {state.value: state for state in LineState}
PAYS: Mapping[Phase, frozenset[Pay]] = {
    Phase.CREATED: frozenset({Pay.NONE}),
    Phase.PENDING: frozenset({Pay.NONE, Pay.AUTHORISING, Pay.ABANDONING, Pay.AUTHORISED, Pay.CAPTURING}),
    Phase.PAID: frozenset({Pay.CAPTURED}),
    Phase.CONFIRMED: frozenset({Pay.CAPTURED}),
    Phase.SHIPPED: frozenset({Pay.CAPTURED}),
    Phase.DELIVERED: frozenset({Pay.CAPTURED}),
    Phase.RETURNING: frozenset({Pay.REFUNDING, Pay.CAPTURED, Pay.REFUNDED}),
    Phase.UNDO: frozenset({Pay.CLOSED, Pay.VOIDING, Pay.REFUNDING, Pay.REFUNDED}),
    Phase.REJECTED: frozenset({Pay.CLOSED}),
    Phase.EXPIRED: frozenset({Pay.CLOSED}),
    Phase.CANCELLED: frozenset({Pay.CLOSED}),
    Phase.REFUNDED: frozenset({Pay.REFUNDED}),
    Phase.EARLY: frozenset({Pay.CLOSED}),
}
"""Where the money may be in which phase."""
LINES: Mapping[Phase, str] = {
    Phase.CREATED: "wahx",
    Phase.PENDING: "hcsx",
    Phase.PAID: "sx",
    Phase.CONFIRMED: "sx",
    Phase.SHIPPED: "sxu",
    Phase.DELIVERED: "sxu",
    Phase.RETURNING: "sxtu",
    Phase.UNDO: "rx",
    Phase.REJECTED: "x",
    Phase.EXPIRED: "x",
    Phase.CANCELLED: "x",
    Phase.REFUNDED: "sxu",
    Phase.EARLY: "",
}
"""Where the lines may be in which phase."""


def _part(row: tuple[Any, ...], part: slice) -> tuple[Any, ...]:
    return row[part]


def sound(phase: Phase, pay: Pay, lines: str) -> bool:
    """Whether phase, money and lines go together."""
    return pay in PAYS[phase] and set(lines) <= set(LINES[phase])


def begin(state: Orders, src: int, clk: int) -> None:
    """The record at `src` starts: early cancels whose time is over leave. InvariantViolatedError: time went back."""
    if clk < state.clk:
        message = f"log time {clk} is before {state.clk}"
        raise InvariantViolatedError(message)
    state.src, state.clk = src, clk
    early = state.early
    for _ in range(state.rules.prune_max):
        if not early or not state.early_over(early[0][0], clk):
            return
        ended_ms, order = early.popleft()
        stub = state.rows.get(order)
        if isinstance(stub, Stub) and stub.phase is Phase.EARLY and stub.ended_ms == ended_ms:
            _forget(state, stub)
            state.rows.remove(order)


def _forget(state: Orders, stub: Stub) -> None:
    left = state.early_count[stub.customer] - 1
    if left:
        state.early_count[stub.customer] = left
    else:
        del state.early_count[stub.customer]


def stepped(after: Order, index: int, cause: str, asks: Asks, before: Order) -> Stepped:
    """The change that makes `after` of `before`. `after` has still the version and the public state of before."""
    public = shown(before.public, after)
    ways = passed(before.public, public)
    terms = tuple(
        Terms(line.line, *_part(line, _TERMS))
        for line, old in zip(after.lines, before.lines, strict=True)
        if line[_TERMS] != old[_TERMS]
    )
    return Stepped(
        index,
        after.order,
        cause,
        before.version + 1,
        before.public,
        ways,
        before.sequence + len(ways),
        Core._make(_part(after, _CORE)),
        after.lines[0].line if after.lines else 0,
        letters(before.lines),
        letters(after.lines),
        _new_texts(_part(before, _TEXTS), _part(after, _TEXTS)),
        terms,
        after.movement if after.movement != before.movement else None,
        asks,
    )


def _new_texts(before: tuple[str, ...], after: tuple[str, ...]) -> Texts | None:
    if before == after:
        return None
    return Texts(*(None if new == old else new for old, new in zip(before, after, strict=True)))


def opened(state: Orders, change: Begun) -> None:
    """An order starts: what it is before its first step."""
    known = state.get(change.order, state.clk)
    if known is not None and known.phase is not Phase.EARLY:
        message = f"order {change.order.hex()} exists"
        raise InvariantViolatedError(message)
    state.opening = opening(change, known.version if known else 0, state.clk)


def opening(change: Begun, version: int, clk: int) -> Order:
    """An order of which nothing is known but its static part. `version`: of the early cancel that it replaces."""
    return Order(
        change.order,
        change.customer,
        change.fingerprint,
        change.offset,
        change.position,
        change.partial,
        clk,
        Phase.CREATED,
        None,
        Pay.NONE,
        version=version,
        lines=fresh_lines(change.lines),
    )


def changed(state: Orders, change: Stepped) -> None:
    """One step of one order."""
    before, state.opening = state.opening, None
    known = state.rows.get(change.order)
    if before is None:
        if not isinstance(known, Order):
            message = f"order {change.order.hex()} is {known and known.phase}, it cannot change"
            raise InvariantViolatedError(message)
        before = known
    elif before.order != change.order:
        message = f"order {before.order.hex()} began and nothing came of it"
        raise InvariantViolatedError(message)
    row = advanced(before, change)
    if isinstance(known, Stub):
        _forget(state, known)
    if row.phase in FINALS:
        state.rows.bury(_stub(row))
    else:
        state.rows.put(row)
        if row.deadline_ms != before.deadline_ms:
            state.deadlines.add(row)
        if row.resume_ms != before.resume_ms:
            state.resumes.add(row)
    if change.movement is not None:
        state.moves.setdefault(row.order, {})[change.movement.key] = change.movement


def advanced(before: Order, change: Stepped) -> Order:
    """The row after a change. InvariantViolatedError if the change does not follow on it."""
    core = change.core
    if change.version != before.version + 1 or change.was != letters(before.lines):
        message = f"order {before.order.hex()} at version {before.version}: {change} does not follow"
        raise InvariantViolatedError(message)
    if len(change.letters) != len(change.was) or not sound(core.phase, core.pay, change.letters):
        message = f"order {before.order.hex()} would be {core.phase} {core.pay} {change.letters}"
        raise InvariantViolatedError(message)
    texts = _part(before, _TEXTS)
    if change.texts is not None:
        texts = tuple(old if new is None else new for old, new in zip(texts, change.texts, strict=True))
    public = change.passed[-1] if change.passed else change.before
    movement = (change.movement or before.movement) if core.phase is Phase.RETURNING else None
    lines = _moved(before.lines, change)
    last = (change.version, public, change.sequence, lines, movement)
    return Order._make((*_part(before, _STATIC), *core, *texts, *last))


def _moved(lines: tuple[OrderLine, ...], change: Stepped) -> tuple[OrderLine, ...]:
    if change.letters == change.was and not change.terms:
        return lines
    terms = {one.line: one[1:] for one in change.terms}
    return tuple(
        OrderLine(*line[:5], _LETTERS[letter], *terms.get(line.line, _part(line, _TERMS)))
        for line, letter in zip(lines, change.letters, strict=True)
    )


def _stub(row: Order) -> Stub:
    goal = row.goal or row.phase
    return Stub(
        row.order, row.customer, row.fingerprint, row.offset, row.position, row.phase, goal, row.version, row.sequence
    )


def buried(state: Orders, change: Buried) -> None:
    """A cancel came first."""
    if state.get(change.order, state.clk) is not None:
        message = f"order {change.order.hex()} exists"
        raise InvariantViolatedError(message)
    old = state.rows.get(change.order)
    if isinstance(old, Stub):
        _forget(state, old)
    stub = Stub(change.order, change.customer, b"", 0, 0, Phase.EARLY, Phase.CANCELLED, 1, 1, state.clk)
    state.rows.bury(stub)
    state.early.append((state.clk, change.order))
    state.early_count[change.customer] = state.early_count.get(change.customer, 0) + 1


def resumed(state: Orders, change: Resumed) -> None:
    """What is owed was asked for again."""
    row = state.rows.get(change.order)
    if not isinstance(row, Order) or row.version != change.version or not 0 < row.resume_ms <= state.clk:
        message = f"order {change.order.hex()} at version {change.version} waits for nothing"
        raise InvariantViolatedError(message)
    after = row._replace(resume_ms=change.resume_ms, tries=change.tries)
    state.rows.put(after)
    state.resumes.add(after)


def noticed(state: Orders, change: Noticed) -> None:
    """No row changes."""
    known = state.get(change.order, state.clk)
    if (known.version if known else 0) != change.version:
        message = f"order {change.order.hex()} is not at version {change.version}"
        raise InvariantViolatedError(message)


EVOLVE_ORDER: Mapping[type, Callable[[Orders, Any], None]] = {
    Begun: opened,
    Stepped: changed,
    Buried: buried,
    Resumed: resumed,
    Noticed: noticed,
}
