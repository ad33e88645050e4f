"""One program at a time in a folder. The kernel lets go of the lock when the program ends, however it ends."""

import fcntl
import os
from pathlib import Path

NAME = "lock"


class FolderLock:
    """An advisory lock (flock) on a file in `folder`, which also holds the owner's process id, for messages."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take it, without waiting; True also if this object has it already."""
        if self._handle is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._handle = handle
        return True

    def release(self) -> None:
        """Let go; nothing if it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def owner(self) -> str:
        """Process id of who has or had it last; "?" if nobody ever did."""
        try:
            return self._path.read_text() or "?"
        except FileNotFoundError:
            return "?"
