"""Batches to the commands topics, sent again through another session when one fails (the same bytes: twice is safe)."""

from collections.abc import Callable, Sequence
from typing import Any

from domain.roles import Role
from tests.simulation.part import Part
from tests.simulation.process import Process
from tests.simulation.sessions import Session


class Sender:
    """Of one life of a process. `name` is new for each."""

    def __init__(self, process: Process, name: str) -> None:
        self._process = process
        self.name = name
        self._number = 0
        self._unacked: dict[int, tuple[Part, bytes, Callable[[], None] | None]] = {}
        self._session = Session(process, "commands", self._failed)

    def send(self, part: Part, role: Role, commands: Sequence[Any], on_ack: Callable[[], None] | None = None) -> int:
        """The batch's number."""
        self._number += 1
        log_id = self._process.world.log_id
        value = part.fold.batches.encode(log_id, role, self.name, self._number, list(commands))
        self._unacked[self._number] = (part, value, on_ack)
        self._append(self._number)
        return self._number

    def send_raw(self, part: Part, value: bytes) -> None:
        """Any bytes."""
        self._session.send(part.commands, value)

    def _append(self, number: int) -> None:
        part, value, _ = self._unacked[number]
        self._session.send(part.commands, value, lambda _: self._acked(number))

    def _acked(self, number: int) -> None:
        unacked = self._unacked.pop(number, None)
        if unacked and unacked[2]:
            unacked[2]()

    def _failed(self) -> None:
        self._process.world.count("batches sent again", len(self._unacked))
        self._session = Session(self._process, "commands", self._failed)
        for number in list(self._unacked):
            self._append(number)

    def die(self) -> None:
        """The process died."""
        self._session.die()
