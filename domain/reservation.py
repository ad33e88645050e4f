"""One reservation: the row that a hold has from its grant until 15 minutes after its end, or for good once sold."""

from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple, Protocol


class RowState(IntEnum):
    """The states of order.md's table; "none" is no row."""

    HELD = 1
    SOLD = 2
    EXPIRED = 3
    RELEASED = 4
    RETURNED = 5


ENDED = frozenset({RowState.EXPIRED, RowState.RELEASED, RowState.RETURNED})
NO_TERMS = 0
"""The terms of a tombstone: a Release came first, nothing was ever granted."""


class Row(NamedTuple):
    """A reservation. `offset`, `position`: its receipt. `terms`: number of what it was granted under.

    `deadline_ms` is the grant's and never changes (a repeated key gets the first answer). `moment_ms` is the deadline
    in force while HELD, and when it ended (log time) once EXPIRED, RELEASED or RETURNED.
    """

    hold: bytes
    state: int
    customer: bytes
    fingerprint: bytes
    terms: int
    quantity: int
    returned: int
    offset: int
    position: int
    deadline_ms: int
    moment_ms: int


class Rows(Protocol):
    """All rows of a partition. The compact form is tables/reservations.py."""

    def get(self, hold: bytes) -> Row | None:
        """The row, if there is one."""

    def add(self, row: Row) -> None:
        """A new row; InvariantViolatedError if the hold has one."""

    def update(self, hold: bytes, state: int, returned: int, moment_ms: int) -> None:
        """What changes in a row's life; InvariantViolatedError if there is none."""

    def remove(self, hold: bytes) -> None:
        """InvariantViolatedError if there is none."""

    def __iter__(self) -> Iterator[Row]:
        """In no order that means anything."""

    def __len__(self) -> int: ...


class Counts(Protocol):
    """Units held and sold per customer and pool; a customer's count is removed at 0."""

    def get(self, customer: bytes, pool: int) -> int:
        """0 if there is none."""

    def add(self, customer: bytes, pool: int, units: int) -> None:
        """`units` may be negative; InvariantViolatedError if the count would be."""

    def __iter__(self) -> Iterator[tuple[bytes, int, int]]:
        """(customer, pool, units), in no order that means anything."""

    def __len__(self) -> int: ...
