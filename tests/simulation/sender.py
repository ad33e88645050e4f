"""Batches to the commands topics, sent again through another session when one fails (the same bytes: twice is safe)."""

from collections.abc import Sequence

from domain.roles import Role
from streams.stock_records import BATCHES, StockCommand
from tests.simulation.process import Process
from tests.simulation.sessions import Session


class Sender:
    """Of one life of a process. `name` is new for each."""

    def __init__(self, process: Process, name: str) -> None:
        self._process = process
        self.name = name
        self._number = 0
        self._unacked: dict[int, tuple[int, bytes]] = {}
        self._session = Session(process, "commands", self._failed)

    def send(self, partition: int, role: Role, commands: Sequence[StockCommand]) -> int:
        """The batch's number."""
        self._number += 1
        log_id = self._process.world.log_id
        value = BATCHES.encode(log_id, role, self.name, self._number, list(commands))
        self._unacked[self._number] = (partition, value)
        self._append(self._number)
        return self._number

    def send_raw(self, partition: int, value: bytes) -> None:
        """Any bytes."""
        self._session.send(self._process.world.commands[partition], value)

    def _append(self, number: int) -> None:
        partition, value = self._unacked[number]
        log = self._process.world.commands[partition]
        self._session.send(log, value, lambda _: self._acked(number))

    def _acked(self, number: int) -> None:
        self._unacked.pop(number, None)

    def _failed(self) -> None:
        self._process.world.count("batches sent again", len(self._unacked))
        self._session = Session(self._process, "commands", self._failed)
        for number in list(self._unacked):
            self._append(number)

    def die(self) -> None:
        """The process died."""
        self._session.die()
