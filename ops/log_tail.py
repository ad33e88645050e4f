"""Follows the log files of the supervisor's children, for a terminal."""

import os
from pathlib import Path
from typing import BinaryIO


class LogTail:
    """Complete lines as they are written to files that others append to (and may cut: ops/supervisor.py)."""

    def __init__(self) -> None:
        self._files: dict[Path, BinaryIO] = {}
        self._rest: dict[Path, bytes] = {}

    def lines(self, path: Path) -> list[str]:
        """What was written since the last call, without line ends; empty while there is no such file."""
        if path not in self._files:
            if not path.exists():
                return []
            self._files[path] = path.open("rb")
        file = self._files[path]
        if file.tell() > os.fstat(file.fileno()).st_size:
            file.seek(0)
        *lines, rest = (self._rest.get(path, b"") + file.read()).split(b"\n")
        self._rest[path] = rest
        return [line.decode(errors="replace") for line in lines]

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()
