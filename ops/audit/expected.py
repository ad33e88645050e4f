"""What a command should have come to: the answers that the rules allow, usually one.

Several are allowed where docs/inventory.md leaves it to the product when old answers and ended rows leave its memory.
"""

from typing import Any, NamedTuple

from domain.outcomes import REPEATED, Outcome
from domain.stock import (
    Answered,
    Change,
    Commit,
    Extend,
    Granted,
    Line,
    Refused,
    Release,
    Repeat,
    Reserve,
    ReserveAll,
    Return,
)
from ops.audit.limits import POOL_SWEEP_MAX, RECORD_LINES_MAX, REFUSAL_MUST_MS, REFUSALS_MAX
from ops.audit.pools import Hold, Phase, Pool
from ops.audit.stock import Stock


class Expected(NamedTuple):
    """One allowed answer: code (| REPEATED), and the record's changes and repeats of that command."""

    outcome: int
    changes: tuple[Change, ...] = ()
    repeats: tuple[Repeat, ...] = ()

    @property
    def code(self) -> int:
        """Without the flag."""
        return self.outcome & ~REPEATED


BUSY = Expected(Outcome.BUSY)
_KINDS = {ReserveAll: 2, Commit: 3, Release: 4, Extend: 5, Return: 6}
"""On the wire."""
NEVER_REMEMBERED = frozenset({Outcome.TOO_LATE, Outcome.UNKNOWN_SKU, Outcome.BUSY})


def hold_of(order: bytes, line: int) -> bytes:
    """The id of a line's hold."""
    return order + line.to_bytes(1, "big")


def informed(options: list[Expected], command: Any, index: int) -> list[Expected]:
    """Who asked something of a hold, as orders do, is told an answer that changes nothing, unless it is BUSY."""
    if not isinstance(command, ReserveAll | Commit | Release | Extend | Return):
        return options
    about = hold_of(command.order, command.lines[0].line) if isinstance(command, ReserveAll) else command.hold
    reference = command.reference if isinstance(command, Return) else 0
    notice = Answered(index, about, _KINDS[type(command)], reference)
    return [
        option
        if option.changes or option.repeats or option.outcome == Outcome.BUSY
        else option._replace(changes=(notice,))
        for option in options
    ]


def reserve(stock: Stock, command: Reserve, index: int) -> list[Expected]:
    """The first answer of the key while it must be remembered, else what the stock allows now."""
    options, settled = known(stock, command.hold, command.sku, command.fingerprint, index)
    return options if settled else options + fresh(stock, command, index)


def known(stock: Stock, hold_id: bytes, sku: str, fingerprint: bytes, index: int) -> tuple[list[Expected], bool]:
    """Answers from memory, and whether one of them must still be remembered. A refusal comes before a row."""
    options: list[Expected] = []
    refusal = stock.refused.get(hold_id)
    if refusal is not None:
        if refusal.fingerprint != fingerprint:
            options.append(Expected(Outcome.KEY_REUSED))
        else:
            repeat = Repeat(index, hold_id, refusal.offset, refusal.place)
            options.append(Expected(refusal.outcome | REPEATED, (), (repeat,)))
        if stock.clk - refusal.refused_ms < REFUSAL_MUST_MS:
            return options, True
    hold = stock.holds.get(hold_id)
    if hold is not None:
        options.append(_again(hold, hold_id, sku, fingerprint, index))
    return options, stock.remembered(hold_id) is not None


def _again(hold: Hold, hold_id: bytes, sku: str, fingerprint: bytes, index: int) -> Expected:
    if hold.pool is None:
        return Expected(Outcome.GONE)
    if hold.fingerprint != fingerprint or hold.pool.sku != sku:
        return Expected(Outcome.KEY_REUSED)
    repeat = Repeat(
        index,
        hold_id,
        hold.offset,
        hold.index,
        sku,
        hold.customer,
        hold.quantity,
        hold.price,
        hold.currency,
        hold.deadline_ms,
    )
    return Expected(Outcome.GRANTED | REPEATED, (), (repeat,))


def fresh(stock: Stock, command: Reserve, index: int) -> list[Expected]:
    """The answers to a new question."""
    if stock.clk > command.not_after_ms:
        return [Expected(Outcome.TOO_LATE)]
    pool = stock.pools.get(command.sku)
    if pool is None:
        return [Expected(Outcome.UNKNOWN_SKU)]
    outcome = worth(stock, pool, command.customer, command.quantity, command.max_price)
    if outcome is Outcome.GRANTED:
        options = [Expected(outcome, (grant_of(stock, command, pool, index),))]
    else:
        options = [Expected(outcome, (Refused(index, command.hold, outcome, command.fingerprint),))]
    if swept_out(stock, pool) or (outcome is not Outcome.GRANTED and len(stock.refused) >= REFUSALS_MAX):
        options.append(BUSY)
    return options


def grant_of(stock: Stock, command: Reserve, pool: Pool, index: int) -> Granted:
    """The grant, with price, currency and hold time of the policy in force."""
    return Granted(
        index,
        command.hold,
        command.sku,
        command.customer,
        command.quantity,
        pool.price,
        pool.currency,
        stock.clk + pool.hold_ms,
        command.fingerprint,
        command.carried,
    )


def swept_out(stock: Stock, pool: Pool) -> bool:
    """Whether this record has swept all it may for single commands, and more of this SKU is due: then BUSY is right."""
    return stock.expired >= POOL_SWEEP_MAX and bool(pool.due(stock.holds, stock.clk))


def worth(stock: Stock, pool: Pool, customer: bytes, quantity: int, max_price: int) -> Outcome:
    """What a new question about units comes to: due holds count as available, whether they were swept or not."""
    if pool.phase is Phase.NOT_OPEN:
        return Outcome.NOT_OPEN
    if pool.phase is Phase.CLOSED:
        return Outcome.CLOSED
    if 0 <= max_price < pool.price:
        return Outcome.PRICE_CHANGED
    counted, free = pool.counts.get(customer, 0), pool.available
    may_return = pool.held
    for hold in pool.due(stock.holds, stock.clk):
        free += hold.left
        may_return -= hold.left
        counted -= hold.left if hold.customer == customer else 0
    if counted + quantity > pool.limit:
        return Outcome.LIMIT_REACHED
    if quantity <= free:
        return Outcome.GRANTED
    if quantity <= free + may_return:
        return Outcome.ALL_HELD
    return Outcome.SOLD_OUT if free + may_return == 0 else Outcome.INSUFFICIENT


# --- several lines ------------------------------------------------------------------------------------------------


def reserve_all(stock: Stock, command: ReserveAll, index: int, lines: int) -> list[Expected]:
    """The answers to an order of several lines. `lines`: of this and all earlier such commands of the record."""
    options = [_all_lines(stock, command, index, forget=False)]
    ids = [hold_of(command.order, line.line) for line in command.lines]
    if any(stock.refused.get(hold_id) or stock.holds.get(hold_id) for hold_id in ids):
        options.append(_all_lines(stock, command, index, forget=True))
    pools = [pool for line in command.lines if (pool := stock.pools.get(line.sku)) is not None]
    full = lines > RECORD_LINES_MAX or len(stock.refused) + len(ids) > REFUSALS_MAX
    if full or any(swept_out(stock, pool) for pool in pools):
        options.append(BUSY)
    return options


def _all_lines(stock: Stock, command: ReserveAll, index: int, *, forget: bool) -> Expected:
    """`forget`: as if all were forgotten that may be."""
    answers: list[Expected | None] = []
    for line in command.lines:
        hold_id = hold_of(command.order, line.line)
        found, settled = known(stock, hold_id, line.sku, command.fingerprint, index)
        if forget:
            answers.append(found[-1] if settled else None)
        else:
            answers.append(found[0] if found else None)
    told = [answer for answer in answers if answer is not None]
    if any(answer.outcome == Outcome.KEY_REUSED for answer in told):
        return Expected(Outcome.KEY_REUSED)
    repeats = tuple(repeat for answer in told for repeat in answer.repeats)
    if len(told) == len(answers) or (repeats and not command.partial):
        code = _of_lines([answer.code for answer in told])
        return Expected(code | REPEATED if repeats else code, (), repeats)
    outcomes = [
        _line(stock, command, line) if answer is None else answer.code
        for line, answer in zip(command.lines, answers, strict=True)
    ]
    refusals = [outcome for outcome in outcomes if outcome != Outcome.GRANTED]
    if refusals and not command.partial:
        if min(refusals) in NEVER_REMEMBERED:
            return Expected(min(refusals))
        outcomes = [Outcome.SIBLING_REFUSED if code == Outcome.GRANTED else code for code in outcomes]
    changes = _changes(stock, command, index, answers, outcomes)
    return Expected(_of_lines(outcomes), changes, repeats)


def _of_lines(codes: list[int]) -> int:
    """The command's code from its lines': granted if one is, else the first in precedence that is a line's own."""
    if Outcome.GRANTED in codes:
        return Outcome.GRANTED
    own = [code for code in codes if code != Outcome.SIBLING_REFUSED]
    return min(own) if own else Outcome.SIBLING_REFUSED


def _line(stock: Stock, command: ReserveAll, line: Line) -> int:
    if stock.clk > command.not_after_ms:
        return Outcome.TOO_LATE
    pool = stock.pools.get(line.sku)
    if pool is None:
        return Outcome.UNKNOWN_SKU
    return worth(stock, pool, command.customer, line.quantity, line.max_price)


def _changes(
    stock: Stock, command: ReserveAll, index: int, answers: list[Expected | None], outcomes: list[int]
) -> tuple[Change, ...]:
    changes: list[Change] = []
    carried = command.carried
    for line, answer, outcome in zip(command.lines, answers, outcomes, strict=True):
        if answer is not None or outcome in NEVER_REMEMBERED:
            continue
        hold_id = hold_of(command.order, line.line)
        if outcome != Outcome.GRANTED:
            changes.append(Refused(index, hold_id, outcome, command.fingerprint))
            continue
        single = Reserve(hold_id, line.sku, command.customer, line.quantity, 0, command.fingerprint, -1, carried)
        changes.append(grant_of(stock, single, stock.pools[line.sku], index))
        carried = b""
    return tuple(changes)
