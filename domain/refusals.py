"""The memory of refusals: a key that was refused gets the same refusal again for at least two minutes of log time."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol


class Refusal(NamedTuple):
    """A remembered refusal and its receipt."""

    hold: bytes
    outcome: int
    fingerprint: bytes
    offset: int
    position: int


class Refusals(Protocol):
    """Generations by log time: the oldest is forgotten as a whole. The compact form is tables/refusals.py."""

    count: int
    """How many are remembered."""

    def turn(self, number: int, keep: int) -> None:
        """Log time is in generation `number` (numbers never go back); forget all but the `keep` newest numbers."""

    def get(self, hold: bytes) -> Refusal | None:
        """The remembered one, if there is one."""

    def known(self, holds: Sequence[bytes]) -> list[int]:
        """Places of those that are remembered."""

    def add_all(
        self,
        holds: Sequence[bytes],
        outcomes: Sequence[int],
        fingerprints: Sequence[bytes],
        offset: int,
        positions: Sequence[int],
    ) -> None:
        """As `add`, of many."""

    def add(self, hold: bytes, outcome: int, fingerprint: bytes, offset: int, position: int) -> None:
        """Remember; the caller keeps to the limit on `count`. InvariantViolatedError if one is remembered."""

    def __iter__(self) -> Iterator[Refusal]:
        """In no order that means anything."""
