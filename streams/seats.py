"""Commands on their way, and the records that they go in: what the batcher (streams/batcher.py) hands out."""

import asyncio
from typing import Any, Generic, Protocol, TypeVar

import msgspec

C = TypeVar("C", bound=tuple[Any, ...])


class Waiter(Protocol):
    """Who is told: a future, or whoever is told as one would be, and must not raise or take long."""

    def done(self) -> bool:
        """Whether there is nothing to tell any more."""

    def set_result(self, result: Any, /) -> None:
        """Told, once."""


class Seat(msgspec.Struct, Generic[C], eq=False):
    """One command on its way. `batch` is None while it waits in the queue. A struct: made at a fifth of the cost."""

    command: C
    batch: "Batch[C] | None" = None
    index: int = -1
    withdrawn: bool = False
    acked: asyncio.Future[bool] | None = None
    decided: Waiter | None = None

    def withdraw(self) -> bool:
        """Take the command out of the queue, never to be sent; False if it was handed to the producer already."""
        self.withdrawn = self.batch is None
        return self.withdrawn


class Batch(Generic[C]):
    """One record. `offset` is -1 until known; an ack may leave it unknown, the decision's `src` tells it then."""

    __slots__ = ("acked", "commands", "handed_s", "number", "offset", "partition", "seats", "timestamp_ms", "value")

    def __init__(self, number: int, partition: int, seats: list[Seat[C]], value: bytes, handed_s: float) -> None:
        self.number = number
        self.partition = partition
        self.seats = seats
        self.commands = len(seats)
        self.value = value
        self.handed_s = handed_s
        self.acked = False
        self.offset = -1
        self.timestamp_ms = -1

    def dismiss(self) -> list[Seat[C]]:
        """The seats, once, to be answered. A batch that kept them would be a cycle, which only the collector frees."""
        seats, self.seats = self.seats, []
        return seats
