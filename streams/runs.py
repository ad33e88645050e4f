"""Sequences of unlike tuples on the wire: runs of the same kind, in order.

A sequence `a1 a2 b1 a3` is [[A, [a1, a2]], [B, [b1]], [A, [a3]]]. Each run is decoded, with its types checked, by one
call: half a microsecond an item (a tagged union of structs costs the same, but would put msgspec into domain/). Kinds
that come in great numbers are written in columns instead (streams/columns.py), at a tenth of that.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from domain.columns import Columns
from streams.columns import COLUMNS

T = TypeVar("T", bound=tuple[Any, ...])

IN_COLUMNS = 50
"""A run in columns has the number of its rows' kind, and this more."""


class Run(NamedTuple, Generic[T]):
    """Consecutive items of one kind."""

    kind: int
    items: Sequence[T]


class UnknownKindError(ValueError):
    """A run of a kind that this program does not know: written by newer code, or not by us."""


class RunCodec(Generic[T]):
    """Packs items of the registered kinds; decodes what msgspec left raw."""

    def __init__(self, kinds: Mapping[int, type]) -> None:
        self._kind_of = {cls: kind for kind, cls in kinds.items()}
        self._read: dict[int, tuple[int, Any]] = {
            kind: (kind, msgspec.msgpack.Decoder(list[cls]).decode)  # type: ignore[valid-type]
            for kind, cls in kinds.items()
        }
        """By the number on the wire: the kind of the rows, and how to decode them."""
        columns = [codec for codec in COLUMNS if codec.run.row in self._kind_of]
        self._of_row = {codec.run.row: codec for codec in columns}
        self._of_run = {codec.run: codec for codec in columns}
        for codec in columns:
            kind = self._kind_of[codec.run.row]
            self._read[kind + IN_COLUMNS] = kind, codec.read

    def pack(self, items: Iterable[T | Columns[T]]) -> list[tuple[int, Any]]:
        """Group consecutive items of one kind; what msgspec encodes. What is in columns already is a run by itself."""
        runs: list[tuple[int, Any]] = []
        for cls, group in groupby(items, type):
            codec = self._of_run.get(cls)
            if codec is not None:
                kind = self._kind_of[codec.run.row] + IN_COLUMNS
                runs += [(kind, codec.wire(run)) for run in group]
            else:
                runs.append(self._rows(cls, list(group)))
        return runs

    def _rows(self, cls: type, rows: list[Any]) -> tuple[int, Any]:
        kind = self._kind_of[cls]
        codec = self._of_row.get(cls)
        run = codec.gather(rows) if codec else None
        return (kind, rows) if codec is None or run is None else (kind + IN_COLUMNS, codec.wire(run))

    def unpack(self, raw: Iterable[tuple[int, msgspec.Raw]], only: frozenset[int] | None = None) -> list[Run[T]]:
        """Decode runs (with `only`, those of these kinds). ValueError if they are not what this program knows."""
        runs = []
        for number, data in raw:
            kind, decode = self._read.get(number, (number, None))
            if only is not None and kind not in only:
                continue
            if decode is None:
                message = f"unknown kind {number}"
                raise UnknownKindError(message)
            runs.append(Run(kind, decode(data)))
        return runs
