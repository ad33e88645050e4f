"""What is going on and how long it will take, a line a step, on stderr: stdout is for results."""

import sys
import time
from typing import TextIO

MINUTE_S = 60


class Progress:
    """Of one scenario. The time left is that of the steps so far, for the steps to come."""

    def __init__(self, name: str, out: TextIO | None = None) -> None:
        self._name = name
        self._out = out or sys.stderr
        self._begun_s: float | None = None

    def __call__(self, done: int, steps: int, words: str) -> None:
        """Before each step; setting up does not count."""
        now_s = time.monotonic()
        if self._begun_s is None or not done:
            self._begun_s = now_s
        left = f", {_duration((now_s - self._begun_s) / done * (steps - done))} left" if 0 < done < steps else ""
        self._out.write(f"{self._name} [{done}/{steps}{left}] {words}\n")
        self._out.flush()


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 2 * MINUTE_S else f"{seconds / MINUTE_S:.0f} min"
