"""The inventory's decider: one command against the state, checked in declared precedence; and the sweep of due holds.

`decide` is pure: it reads state, command and the constants of the rules version in force, no clock, no randomness.
`evolve` (domain/evolve.py) follows with the changes, for the owner and every other reader alike.
"""

from collections.abc import Callable
from typing import Any

from domain.columns import GrantedRun, RefusedRun, ReserveRun
from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.pool import Pool
from domain.reserving import reserve, reserve_all
from domain.roles import Role
from domain.rush import reserve_run
from domain.settling import commit, extend, release, return_
from domain.shapes import WELL_FORMED
from domain.state import Inventory
from domain.stock import (
    COMMANDS,
    Adjust,
    Answered,
    Close,
    Command,
    Commit,
    Expired,
    Extend,
    Open,
    Release,
    Reserve,
    ReserveAll,
    Return,
    SetPolicy,
    SetRules,
)
from domain.stocking import adjust, close, open_, set_policy, set_rules
from domain.verdict import FORBIDDEN, MALFORMED, Verdict

ALLOWED: dict[Role, frozenset[type]] = {
    Role.GATEWAY: frozenset({Reserve}),
    Role.ORDER: frozenset({Reserve, ReserveAll, Commit, Release, Extend, Return}),
    Role.OPS: frozenset({Commit, Release, Extend, Return, Adjust, SetPolicy, Open, Close, SetRules}),
    Role.WORKER: frozenset(),
}
"""Who may send what; anything else is FORBIDDEN. The protocol's own commands (ticks, yields) are not the fold's."""
_ALLOWED_TO = tuple(ALLOWED.get(Role(role), frozenset()) if role else frozenset() for role in range(max(Role) + 1))
"""The same by the role's number: the hash of a member of an Enum costs 150 ns."""
_ANSWERED = {cls: kind for kind, cls in COMMANDS.items() if cls in {ReserveAll, Commit, Release, Extend, Return}}
"""What an order asks: it hears of every answer. BUSY is none: it asks again."""

_BUSY = int(Outcome.BUSY)

_DECIDE: dict[type, Callable[[Inventory, Any, int], Verdict]] = {
    Reserve: reserve,
    Commit: commit,
    Release: release,
    Extend: extend,
    Return: return_,
    Adjust: adjust,
    SetPolicy: set_policy,
    Open: open_,
    Close: close,
    SetRules: set_rules,
}


def decide(state: Inventory, command: Command, role: Role, index: int, lines_left: int) -> Verdict:
    """What the command comes to. `lines_left`: lines that ReserveAll commands may still write into this record."""
    kind = type(command)
    if not WELL_FORMED[kind](command, state.clk + state.rules.ahead_max_ms):
        return MALFORMED
    if kind not in _ALLOWED_TO[role]:
        return FORBIDDEN
    if kind is ReserveAll:
        verdict = reserve_all(state, command, index, lines_left)  # type: ignore[arg-type]
    else:
        verdict = _DECIDE[kind](state, command, index)
    if kind not in _ANSWERED or verdict.changes or verdict.repeats or verdict.lacking or verdict.outcome == _BUSY:
        return verdict
    return verdict._replace(changes=(_answer(command, index),))


def decide_run(state: Inventory, run: ReserveRun, role: Role) -> tuple[bytearray, list[GrantedRun | RefusedRun]]:
    """What a run of Reserves comes to, as `decide` would say of each; outcome 0: ask it (domain/rush.py)."""
    if Reserve not in _ALLOWED_TO[role]:
        return bytearray(len(run)), []
    return reserve_run(state, run)


def _answer(command: Any, index: int) -> Answered:
    kind = _ANSWERED[type(command)]
    if isinstance(command, ReserveAll):
        return Answered(index, hold_id(command.order, command.lines[0].line), kind)
    return Answered(index, command.hold, kind, command.reference if isinstance(command, Return) else 0)


def sweep(state: Inventory, limit: int) -> list[Expired]:
    """The next due holds of the partition in (deadline, id) order, `limit` at most; fewer does not mean the last."""
    return list(map(Expired, state.deadlines.take_due(state.rows, state.terms, state.clk, limit)))


def sweep_pool(state: Inventory, pool: Pool) -> Expired | None:
    """The next due hold of one pool."""
    hold = pool.deadlines.first_due(state.rows, state.clk)
    return None if hold is None else Expired(hold)
