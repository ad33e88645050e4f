"""The order's state machine as a page: a diagram of its phases and the rows, both from the table itself."""

import re
from collections.abc import Iterator

from domain.order_row import FINALS
from domain.order_table import NONE, TABLE, Rule
from domain.orders import Phase

_ORDER = (NONE, *Phase)
_WORD = re.compile(r"[A-Z]+")


def leads_to(rule: Rule, phase: str) -> frozenset[str]:
    """The phases that a row names for an order in `phase`, other than that one."""
    words = set(_WORD.findall(rule.becomes))
    return frozenset(member for member in Phase if member.name in words and member != phase)


def edges() -> Iterator[tuple[str, str, list[str]]]:
    """(phase, next phase, events) in the order of a journey."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for rule in TABLE:
        for phase in rule.phases:
            for after in leads_to(rule, phase):
                found.setdefault((phase, after), {})[rule.event] = None
    for phase, after in sorted(found, key=lambda edge: (_ORDER.index(edge[0]), _ORDER.index(edge[1]))):
        yield phase, after, list(found[phase, after])


def diagram() -> str:
    """Mermaid."""
    lines = ["stateDiagram-v2"]
    for phase, after, events in edges():
        start = "[*]" if phase == NONE else Phase(phase).name
        lines.append(f"    {start} --> {Phase(after).name}: {', '.join(events)}")
    lines += [f"    {phase.name} --> [*]" for phase in Phase if phase in FINALS]
    return "\n".join(["```mermaid", *lines, "```"])


def rows() -> Iterator[tuple[str, ...]]:
    """The table, a row each: phases, event, guard, what it becomes, what it asks for."""
    for rule in TABLE:
        guards = [f"money {' or '.join(rule.pay)}" if rule.pay else "", f"line {rule.line}" if rule.line else ""]
        guard = ", ".join(part for part in (*guards, rule.guard) if part)
        yield _phases(rule.phases), rule.event, guard, rule.becomes, rule.asks


def _phases(phases: frozenset[str]) -> str:
    living = frozenset(Phase) - FINALS - {Phase.EARLY}
    if phases >= frozenset(Phase):
        return "any" if NONE in phases else "any order"
    if phases == living:
        return "any that is not final"
    if phases == frozenset(Phase) - {Phase.EARLY}:
        return "any but EARLY"
    return ", ".join(NONE if phase == NONE else Phase(phase).name for phase in sorted(phases, key=_ORDER.index))
