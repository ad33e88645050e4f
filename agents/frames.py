"""What a standby writes to the process that keeps its snapshot: shards, then the meta record, over a pipe.

A pipe that ends without the meta record means that the standby had something better to do.
"""

import struct
from enum import Enum
from typing import BinaryIO

READY = b"ready\n"
"""What that process says when it has its place and waits for the first shard."""
_HEADER = struct.Struct(">cI")


class Kind(Enum):
    """Of a frame."""

    SHARD = b"s"
    META = b"m"


def write_frame(pipe: BinaryIO, kind: Kind, value: bytes) -> None:
    """May block. OSError if nobody reads any more."""
    pipe.write(_HEADER.pack(kind.value, len(value)) + value)


def read_frame(pipe: BinaryIO) -> tuple[Kind, bytes] | None:
    """May block. None at the end, also in the middle of a frame."""
    header = pipe.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    kind, size = _HEADER.unpack(header)
    value = pipe.read(size)
    return (Kind(kind), value) if len(value) == size else None
