"""Sequences of unlike tuples on the wire: runs of the same kind, in order.

A sequence `a1 a2 b1 a3` is [[A, [a1, a2]], [B, [b1]], [A, [a3]]]. Each run is decoded, with its types checked, by one
call: half a microsecond an item (a tagged union of structs costs the same, but would put msgspec into domain/).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

T = TypeVar("T", bound=tuple[Any, ...])


class Run(NamedTuple, Generic[T]):
    """Consecutive items of one kind."""

    kind: int
    items: list[T]


class UnknownKindError(ValueError):
    """A run of a kind that this program does not know: written by newer code, or not by us."""


class RunCodec(Generic[T]):
    """Packs items of the registered kinds; decodes what msgspec left raw."""

    def __init__(self, kinds: Mapping[int, type]) -> None:
        self._kind_of = {cls: kind for kind, cls in kinds.items()}
        self._decode = {kind: msgspec.msgpack.Decoder(list[cls]).decode for kind, cls in kinds.items()}  # type: ignore[valid-type]

    def pack(self, items: Iterable[T]) -> list[Run[T]]:
        """Group consecutive items of one kind; what msgspec encodes."""
        runs: list[Run[T]] = []
        last: type | None = None
        for item in items:
            cls = type(item)
            if cls is not last:
                runs.append(Run(self._kind_of[cls], []))
                last = cls
            runs[-1].items.append(item)
        return runs

    def unpack(self, raw: Iterable[tuple[int, msgspec.Raw]]) -> list[Run[T]]:
        """Decode runs; UnknownKindError or msgspec.MsgspecError if they are not what this program knows."""
        runs = []
        for kind, data in raw:
            decode = self._decode.get(kind)
            if decode is None:
                message = f"unknown kind {kind}"
                raise UnknownKindError(message)
            runs.append(Run(kind, decode(data)))
        return runs
