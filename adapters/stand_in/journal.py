"""The book in a file: one JSON line a change, handed to the system before the outcome is, so kill -9 loses nothing.

Not synced to the disk: a crash of the machine is no case for a stand-in.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from adapters.stand_in.book import Change

_decode = msgspec.json.Decoder(Change).decode
_encode = msgspec.json.Encoder().encode


class Journal:
    """For one writer at a time: OSError if another has it open, or if it cannot be written.

    What a kill left of a last line is cut off.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._path = path
        self._end = 0

    def read(self) -> Iterator[Change]:
        """Every change, in order; then the journal can be written. msgspec.DecodeError for a line that is none."""
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                yield _decode(line)
                self._end += len(line)
        os.ftruncate(self._file, self._end)
        os.lseek(self._file, self._end, os.SEEK_SET)

    def write(self, change: Change) -> None:
        """Returns when the system has it."""
        line = _encode(change) + b"\n"
        while line:
            line = line[os.write(self._file, line) :]

    def close(self) -> None:
        os.close(self._file)
