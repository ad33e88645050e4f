"""The two clocks of a process, in integer milliseconds."""

import time


def monotonic_ms() -> int:
    """Of this process alone; never goes back, stands for nothing."""
    return time.monotonic_ns() // 1_000_000


def wall_ms() -> int:
    """UTC, as well as this machine knows it."""
    return time.time_ns() // 1_000_000
