"""One reservation: the row that a hold has from its grant until 15 minutes after its end, or for good once sold."""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol


class RowState(IntEnum):
    """The states of the table in docs/guarantees.md; "none" is no row."""

    HELD = 1
    SOLD = 2
    EXPIRED = 3
    RELEASED = 4
    RETURNED = 5


HELD, SOLD, EXPIRED = int(RowState.HELD), int(RowState.SOLD), int(RowState.EXPIRED)
RELEASED, RETURNED = int(RowState.RELEASED), int(RowState.RETURNED)
"""Plain numbers for the hot path: to look a member of an Enum up costs 75 ns."""
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

    def hold(
        self,
        hold: bytes,
        customer: bytes,
        fingerprint: bytes,
        terms: int,
        quantity: int,
        offset: int,
        position: int,
        deadline_ms: int,
    ) -> None:
        """A new HELD row; InvariantViolatedError if the hold has one."""

    def known(self, holds: Sequence[bytes]) -> list[int]:
        """Places of those that have a row."""

    def hold_all(
        self,
        holds: Sequence[bytes],
        customers: Sequence[bytes],
        fingerprints: Sequence[bytes],
        origins: Sequence[tuple[int, int]],
        numbers: Sequence[int],
        quantities: Sequence[int],
        offset: int,
        positions: Sequence[int],
    ) -> None:
        """As `hold`, of many. `numbers`: which of `origins` (terms, deadline) each has; empty: all the first."""

    def bury(self, hold: bytes, customer: bytes, offset: int, position: int, ended_ms: int) -> None:
        """A new RELEASED row that nothing was granted for; InvariantViolatedError if the hold has one."""

    def update(self, row: Row, state: int, returned: int, moment_ms: int) -> None:
        """What changes in the life of a row that `get` just gave."""

    def remove(self, row: Row) -> None:
        """An ended row leaves."""

    def __iter__(self) -> Iterator[Row]:
        """In no order that means anything."""

    def __len__(self) -> int: ...


class Counts(Protocol):
    """Units held and sold per customer and pool; a customer's count is removed at 0."""

    def get(self, customer: bytes, pool_key: bytes) -> int:
        """Units held and sold."""

    def units(self, keys: Sequence[bytes]) -> list[int]:
        """Units held and sold, by keys: a customer and a pool's key behind it."""

    def add_held_all(
        self, customers: Sequence[bytes], pool_keys: Sequence[bytes], numbers: Sequence[int], units: Sequence[int]
    ) -> None:
        """As `add_held`, of many: none of them negative. `numbers`: of the pools' keys; empty: all the first."""

    def add_held(self, customer: bytes, pool_key: bytes, units: int) -> None:
        """`units` may be negative; InvariantViolatedError if the count would be."""

    def add_sold(self, customer: bytes, pool_key: bytes, units: int) -> None:
        """As `add_held`."""

    def __iter__(self) -> Iterator[tuple[bytes, bytes, int, int]]:
        """(customer, pool key, held, sold), in no order that means anything."""
