"""`verify --replay`: runs the product's own `decide` over the commands that are still kept, and compares the bytes.

The only part of the auditor that uses the product's rules: it shows that this code would decide this log as it was
decided. Where a command is trimmed or was answered with fault, the recorded decision is folded instead.
"""

from domain.outcomes import InvariantViolatedError, Outcome
from domain.roles import Role
from ops.audit.commands import CommandRecord
from ops.audit.violations import Findings, Kind
from streams.protocol import PROTOCOL_COMMANDS
from streams.records import DECIDED, Decided
from tables.stock import StockFold

_PROTOCOL = frozenset(PROTOCOL_COMMANDS.values())


class Replay:
    """Of one partition; stops at the first difference, because what follows would differ too."""

    def __init__(self, partition: int, findings: Findings) -> None:
        self._findings = findings
        self._fold = StockFold()
        self._state = self._fold.new_state(partition)
        self._ended = False

    def decision(self, kind: int, decided: Decided, command: CommandRecord | None) -> None:
        """The next accepted record."""
        if self._ended:
            return
        try:
            if self._fold.rules_version(self._state) not in self._fold.rules_versions:
                self._differs(f"rules version {self._fold.rules_version(self._state)} is not implemented")
            elif kind != DECIDED or command is None or Outcome.FAULT in decided.outcomes:
                self._fold.apply(self._state, decided)
            else:
                self._compare(decided, command)
        except InvariantViolatedError as error:
            self._differs(str(error))

    def _compare(self, decided: Decided, command: CommandRecord) -> None:
        batch = command.batch
        commands = batch.commands() if batch else []
        role = batch.role if batch else Role.GATEWAY
        decision = self._fold.decide(self._state, commands, role, decided.src, decided.clk)
        if batch is None:
            outcomes = bytes((Outcome.MALFORMED,))
        else:
            outcomes = bytes(
                told if type(asked) in _PROTOCOL else found
                for told, found, asked in zip(decided.outcomes, decision.outcomes, commands, strict=False)
            )
        if outcomes != decided.outcomes:
            self._differs(f"replayed outcomes {outcomes.hex()}, recorded {decided.outcomes.hex()}")
        elif bytes(decision.details) != bytes(decided.details):
            self._differs("the replayed changes are not those that were recorded")

    def _differs(self, text: str) -> None:
        self._ended = True
        self._findings.add(Kind.REPLAY, text)
