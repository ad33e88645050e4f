"""Who owns: what the protocol's own commands of a batch should have come to."""

from typing import Any

from domain.outcomes import Outcome
from ops.audit.violations import Findings, Kind
from streams.protocol import Pin, Yield
from streams.records import Decided


class Seat:
    """The owner that decides a record, and what the record's yields and pins make of it."""

    def __init__(self, epoch: int, owner: str) -> None:
        self._epoch = epoch
        self._owner = owner
        self._yielded_to: str | None = None
        self._pin: str | None = None

    def take(self, command: Any, clk: int) -> Outcome:
        """The outcome of an allowed tick, yield or pin."""
        if isinstance(command, Pin):
            self._pin = command.worker
            return Outcome.PINNED
        if not isinstance(command, Yield):
            return Outcome.TICKED
        current = command.epoch == self._epoch and clk <= command.not_after_ms
        if self._yielded_to is not None or not current or command.to == self._owner:
            return Outcome.NOT_YIELDED
        self._yielded_to = command.to
        return Outcome.YIELDED

    def compare(self, findings: Findings, decided: Decided) -> None:
        """The record's own words on it."""
        if decided.yielded_to != self._yielded_to:
            findings.add(Kind.YIELD, f"yielded to {decided.yielded_to!r}, should be {self._yielded_to!r}")
        if decided.pin != self._pin:
            findings.add(Kind.YIELD, f"pinned to {decided.pin!r}, should be {self._pin!r}")
