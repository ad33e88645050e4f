"""What the auditor counts and, if asked, keeps for its caller."""

from collections import Counter
from typing import Any

from domain.ids import Receipt
from domain.outcomes import REPEATED, Outcome
from domain.stock import Change, Granted, Refused, Reserve, ReserveAll
from ops.audit.expected import hold_of
from ops.audit.report import Answer, Moment


class Tally:
    """Of one partition. `keeps`: every first answer and the time of every accepted decision are kept too."""

    def __init__(self, partition: int, *, keeps: bool) -> None:
        self.keeps = keeps
        self.outcomes: Counter[int] = Counter()
        self.repeats = 0
        self.records = 0
        self.unchecked = 0
        self.decisions: dict[bytes, list[Answer]] = {}
        self.moments: list[Moment] = []
        self.stall_ms = 0
        self.stall_src = -1
        self._partition = partition
        self._decided_ms = -1

    def count(self, outcome: int) -> None:
        """One answer."""
        if outcome & REPEATED:
            self.repeats += 1
        else:
            self.outcomes[outcome] += 1

    def decided(self, src: int, decided_ms: int, appended_ms: int) -> None:
        """An accepted decision at this log time, of a command of that one (-1: unknown)."""
        self.records += 1
        if self._decided_ms >= 0:
            stall_ms = decided_ms - max(self._decided_ms, appended_ms)
            if stall_ms > self.stall_ms:
                self.stall_ms, self.stall_src = stall_ms, src
        self._decided_ms = decided_ms
        if self.keeps:
            self.moments.append(Moment(src, decided_ms, appended_ms))

    def keep(self, command: Any, outcome: int, changes: tuple[Change, ...], src: int, index: int) -> None:
        """The first answer of a Reserve, or of each line of a ReserveAll."""
        if isinstance(command, Reserve):
            asked = {command.hold: (command.sku, command.quantity)}
        elif isinstance(command, ReserveAll):
            asked = {hold_of(command.order, line.line): (line.sku, line.quantity) for line in command.lines}
        else:
            return
        receipt = Receipt(self._partition, src, index)
        told = {change.hold: change for change in changes if isinstance(change, Granted | Refused)}
        for hold_id, (sku, quantity) in asked.items():
            change = told.get(hold_id)
            if isinstance(change, Granted):
                terms = (change.unit_price, change.currency, change.deadline_ms)
                answer = Answer(Outcome.GRANTED, receipt, sku, quantity, *terms)
            elif change is None and told:
                continue  # a line that was answered before
            else:
                answer = Answer(Outcome(change.outcome if change else outcome), receipt, sku, quantity, 0, "", 0)
            self.decisions.setdefault(hold_id, []).append(answer)
