"""One large dict as many: a dict that grows moves all that is in it at once, and everything in the process waits."""

from collections.abc import Sequence
from typing import TypeVar

V = TypeVar("V")

SHARDS = 64
"""Dicts by a random byte of the key: the pause of one dict's growth, 70 ns an entry, is divided by so many (1.5 ms at a
million). Heads and ends of all are in use all the time: with 256 a decision took 3 % longer, with 16 as long."""
_SHARE = 256 // SHARDS
"""Neighbouring values of that byte have a dict together."""


def by_byte() -> list[dict[bytes, V]]:
    """For each value of a byte its dict."""
    shards: list[dict[bytes, V]] = [{} for _ in range(SHARDS)]
    return [shards[byte // _SHARE] for byte in range(256)]


def each(shards: Sequence[dict[bytes, V]]) -> Sequence[dict[bytes, V]]:
    """Every dict of `by_byte` once."""
    return shards[::_SHARE]
