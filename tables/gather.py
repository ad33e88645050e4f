"""Small pieces of a table put together to shards of a size that is written, and loaded, in a millisecond or two."""

from collections.abc import Iterable, Iterator

SHARD_BYTES = 48 * 1024
"""About 800 rows."""


def gather(pieces: Iterable[bytes | bytearray]) -> Iterator[bytes]:
    """The pieces in order, joined until there is enough for a shard; none of them is cut."""
    some: list[bytes | bytearray] = []
    size = 0
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= SHARD_BYTES:
            yield b"".join(some)
            some, size = [], 0
    if size:
        yield b"".join(some)
