"""One partition as its ledger has it: an owner that decides and a standby that folds, compared after every record."""

from collections.abc import Callable
from typing import Any

from domain.outcomes import REPEATED, Outcome
from domain.roles import Role
from streams.fold import Fold
from streams.records import DECIDED_BYTES_MAX, Decided, decode_decided, encode_body


class LedgerPartition:
    """`record` appends one command record and gives the answers, `!` behind those that are the first answer again."""

    def __init__(self, fold: Fold[Any], decode_details: Callable[[bytes], Any], role: Role, clk: int) -> None:
        self.fold = fold
        self.owner = self.fold.new_state(0)
        self.standby = self.fold.new_state(0)
        self.src = 0
        self.clk = clk
        self.decided: Decided | None = None
        self.details = None
        self.faults = []
        self.size = 0
        self._decode_details = decode_details
        self._role = role

    def record(self, *commands, role: Role | None = None, after_ms: int = 0) -> list[str]:
        self.src += 1
        self.clk += after_ms
        role = self._role if role is None else role
        decision = self.fold.decide(self.owner, list(commands), role, self.src, self.clk)
        outcomes = bytes(decision.outcomes)
        body = encode_body(Decided(self.src, bytes(16), self.clk, "gw", 1, outcomes, None, None, decision.details))
        self.size = len(body)
        assert self.size <= DECIDED_BYTES_MAX
        self.decided = decode_decided(body)
        assert self.fold.lawful(self.owner, self.decided, evolved=True)
        assert self.fold.lawful(self.standby, self.decided, evolved=False)
        self.fold.apply(self.standby, self.decided)
        self.details = self._decode_details(self.decided.details)
        self.faults = decision.faults
        return [label(code) for code in outcomes]

    def changes(self) -> list:
        """Of the last record."""
        return [change for run in self.details.changes for change in run.items]


def label(code: int) -> str:
    return Outcome(code & ~REPEATED).label + ("!" if code & REPEATED else "")
