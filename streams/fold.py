"""What the partition machine asks of a fold: the rules of one kind of ledger (stock, orders), without any IO."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from domain.roles import Role
from streams.records import BatchCodec, Decided

S = TypeVar("S")


class Fault(NamedTuple):
    """A bug met while deciding one command (W10): the command gets FAULT, the record goes on."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    error: str


class FoldDecision(NamedTuple):
    """What became of one batch. `outcomes`: one code a command, 0 where the command is the protocol's own."""

    outcomes: bytearray
    details: msgspec.Raw
    faults: list[Fault]


class Shard(NamedTuple):
    """A piece of a fold's state as bytes, made and loaded in a few milliseconds. `name`: what is in it."""

    name: str
    data: bytes


class Fold(Protocol[S]):
    """Pure: no clock, no randomness, no IO. The state is mutable and owned by one machine at a time."""

    name: str
    layout: int
    """Number of the form that `dump` gives. Another one whenever its bytes change, or an older fold was wrong."""
    rules_versions: frozenset[int]
    batches: BatchCodec[Any]

    def new_state(self, partition: int) -> S:
        """The state before the first record."""

    def decide(self, state: S, commands: Sequence[Any], role: Role, src: int, clk: int) -> FoldDecision:
        """Sweep what is due at `clk`, decide the commands in order, evolve `state` by each.

        An undecodable record is decided as no commands. An exception out of here means that the state is broken.
        """

    def apply(self, state: S, decided: Decided) -> None:
        """Fold an accepted record decided by somebody else. InvariantViolatedError if it does not fit the state."""

    def lawful(self, state: S, decided: Decided, *, evolved: bool) -> bool:
        """The fold's part of R3: conservation in the record's totals, each sequence one more than before.

        `evolved`: the state is already the one after this record (the owner's own).
        """

    def due_at_ms(self, state: S) -> int | None:
        """When (log time) something wants to be swept next, None if nothing ever."""

    def rules_version(self, state: S) -> int:
        """The rules in force; a worker that does not implement them does not claim."""

    def dump(self, state: S) -> Iterator[Shard]:
        """The whole state between two records; nothing may change it until the last shard is out."""

    def load(self, state: S, shard: Shard) -> None:
        """One shard of a dump, in its order, into what `new_state` gave. ValueError or LookupError if it is none."""
