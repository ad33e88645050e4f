"""Resident sizes of processes over time, and whether one still grows at the end."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

MIB = 2**20


class Growth(NamedTuple):
    """Means of the last but one tenth and of the last one; `ratio` of the second to the first."""

    before_mib: float
    after_mib: float
    ratio: float


def resident_bytes(pid: int) -> int:
    """Of a process, proc(5); FileNotFoundError when it is gone."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Resident:
    """Samples at even times, of `seconds` in all."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._samples: dict[tuple[str, int], list[tuple[float, int]]] = {}

    def see(self, at_s: float, pids: Mapping[str, int | None]) -> None:
        """Take a sample of each that runs; a process that was started again is another one."""
        for name, pid in pids.items():
            try:
                size = resident_bytes(pid) if pid is not None else 0
            except FileNotFoundError:
                continue
            if pid is not None:
                self._samples.setdefault((name, pid), []).append((at_s, size))

    def growth(self) -> dict[str, Growth]:
        """Of those that ran through the last two tenths."""
        tenth = self._seconds / 10
        found: dict[str, Growth] = {}
        for (name, _), samples in self._samples.items():
            before = [size for at_s, size in samples if 8 * tenth <= at_s < 9 * tenth]
            after = [size for at_s, size in samples if 9 * tenth <= at_s]
            if before and after and samples[0][0] < 8 * tenth:
                means = sum(before) / len(before) / MIB, sum(after) / len(after) / MIB
                found[name] = Growth(round(means[0], 1), round(means[1], 1), round(means[1] / means[0], 4))
        return found
