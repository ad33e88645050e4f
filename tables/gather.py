"""Small pieces of a table put together to shards of a size that is written, and loaded, in a millisecond or two."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import msgspec

from streams.fold import Shard

T = TypeVar("T")
SHARD_BYTES = 48 * 1024
"""About 800 rows."""
LIST_ITEMS = 200
"""Of a msgpack list: decoded in less than a millisecond."""
_encode = msgspec.msgpack.Encoder().encode


def batches(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """The items in order, `most` at a time."""
    left = iter(items)
    while some := list(islice(left, most)):
        yield some


def portions(items: Iterable[T], size: Callable[[T], int], enough: int = SHARD_BYTES) -> Iterator[list[T]]:
    """The items in order, as many at a time as it takes until their sizes are `enough`."""
    some: list[T] = []
    total = 0
    for item in items:
        some.append(item)
        total += size(item)
        if total >= enough:
            yield some
            some, total = [], 0
    if some:
        yield some


def gather(pieces: Iterable[bytes | bytearray]) -> Iterator[bytes]:
    """The pieces that are not empty, joined until there is enough for a shard; none of them is cut."""
    whole = (piece for piece in pieces if piece)
    return (b"".join(some) for some in portions(whole, len))


def lists(name: str, items: Iterable[Any]) -> Iterator[Shard]:
    """Shards of that name, each a msgpack list of some items."""
    return (Shard(name, _encode(some)) for some in batches(items, LIST_ITEMS))
