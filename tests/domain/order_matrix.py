"""Every state that one order of one line can be in, found by trying every event in each, and what each event does."""

from collections.abc import Iterator
from typing import NamedTuple

from domain.order_row import Order, letters
from domain.order_rules import OrderRules
from domain.orders import Phase
from tests.domain.order_scenario import said, step
from tests.properties.commands import order
from tests.properties.order_partition import OrderPartition
from tests.properties.plain import PlainOrderFold

RULES = OrderRules(attempts_max=2, resume_first_ms=10**9, resume_last_ms=10**9, early_keep_ms=10**9)
"""Two attempts show first and last; what is asked for again would only repeat a state."""
NAME = order("o1")
# Of two units at 500: r1 takes one back, r2 all that is left, f1 refunds the whole price without goods.
EVENTS = {
    "born": "born o1 ann tee 2",
    "born without method": "born o1 ann tee 2 pay=",
    "born late": "born o1 ann tee 2 hold=5000 at=79",
    "born otherwise": "born o1 ann tee 2 at=78",
    "placed": "place o1 ann tee:2@0",
    "placed otherwise": "place o1 ann tee:2@0 content=g",
    "cancel": "cancel o1 ann",
    "cancel by a stranger": "cancel o1 eve",
    "granted": "granted o1@0 1:500",
    "refused": "refused o1@0 sold-out",
    "method": "method o1 ann pm_2",
    "queued": "queued o1#N 400000",
    "authorised": "authorised o1#N",
    "action": "action o1#N go=there",
    "declined": "declined o1#N",
    "voided": "voided o1#N",
    "void-captured": "void-captured o1#N 1000",
    "committed": "committed o1/L",
    "gone": "gone o1/L",
    "captured": "captured o1#N 1000",
    "capture failed": "failed o1#N",
    "released": "released o1/L",
    "booked": "booked o1",
    "shipped 1": "ship o1 L 1",
    "shipped": "ship o1",
    "delivered": "deliver o1",
    "return r1": "return o1 r1 L 1 restock",
    "return r2": "return o1 r2 all 0 restock",
    "refund f1": "refund o1 f1 1000",
    "return r1 otherwise": "return o1 r1 L 1 scrap",
    "refund f1 otherwise": "refund o1 f1 999",
    "returned": "returned o1/L KEY",
    "refunded": "refunded o1#N KEY",
    "settled voided": "settle o1 voided",
    "settled captured": "settle o1 captured",
    "settled refunded": "settle o1 refunded",
    "hint": "hint o1#N",
    "hint of another": "hint o1#9 pi_9",
    "orphan closed": "orphan o1#1",
    "other attempt": "authorised o1#8",
    "deadline": "tick",
}


class Cell(NamedTuple):
    """What an event does in a state: the answer, the state after it, what is asked."""

    answer: str
    after: str
    asks: str


def state_text(partition: OrderPartition) -> str:
    """Phase, goal, money, line. `last`: no attempt is left; `+m` a method is kept, `*1` one unit shipped, `<1` back.

    Born and placed orders look the same here: they differ in what `born` and `placed` come to; the first found counts.
    """
    row = partition.get(NAME)
    if not isinstance(row, Order):
        goal = f"({row.goal.name})" if row and row.phase is Phase.REFUNDED else ""
        return f"{row.phase.name}{goal}" if row else "none"
    line = row.lines[0]
    marks = [
        "last" if row.pay == "A" and row.attempt == RULES.attempts_max else "",
        "again" if row.pay == "N" and row.attempt else "",
        "+m" if row.next_method and row.attempt else "",
        f"*{line.shipped}" if line.shipped == 1 else "",
        f"<{line.returned}" if line.returned == 1 else "",
        row.movement.key.decode().strip(".") if row.movement else "",
    ]
    goal = f"({row.goal.name})" if row.goal else ""
    return " ".join([row.phase.name + goal, row.pay, letters(row.lines), *filter(None, marks)])


def happen(partition: OrderPartition, event: str) -> Cell:
    row = partition.get(NAME)
    text = EVENTS[event]
    living = isinstance(row, Order)
    line = row.lines[0].line if living else 0
    key = row.movement.key.decode().strip(".") if living and row.movement else ""
    text = (
        text.replace("#N", f"#{(row.attempt if living else 0) or 1}").replace("L", str(line)).replace(" KEY", f" {key}")
    )
    after_ms = max(0, row.deadline_ms - partition.clk) if event == "deadline" and living and row.deadline_ms else 0
    answer, *_ = step(partition, after_ms, text.strip())
    return Cell(answer, state_text(partition), said(partition)[0])


def explore() -> Iterator[tuple[str, str, Cell, OrderPartition]]:
    """Each reachable state with each event: (state, event, what it does, the partition after it)."""
    first = OrderPartition(fold=PlainOrderFold({1: RULES}))
    found = {state_text(first): first}
    open_ = [*found]
    for state in open_:
        for event in EVENTS:
            partition = found[state].twin()
            cell = happen(partition, event)
            if cell.after not in found:
                found[cell.after] = partition.twin()
                open_.append(cell.after)
            yield state, event, cell, partition


def table(cells: dict[tuple[str, str], Cell]) -> str:
    """What does something, as the text of order_matrix.txt: all else is unchanged, and asks for nothing."""
    rows = [(state, event, *cell) for (state, event), cell in cells.items() if cell.after != state or cell.asks != "-"]
    rows.insert(0, ("state", "event", "answer", "state after", "asks"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"
