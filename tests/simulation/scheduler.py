"""Simulated time: a heap of calls. Nothing in a simulation reads a real clock."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

EVENTS_MAX = 400_000
"""A run has 5,000 to 60,000 events; more is a loop that feeds itself."""


class RunawayError(Exception):
    """The run does not come to an end."""


class Scheduler:
    """Calls in the order of their time, then of their registration."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.events = 0
        self.events_max = EVENTS_MAX
        self._heap: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._serial = 0

    def at(self, time_ms: int, call: Callable[..., None], *args: Any) -> None:
        """Call then."""
        self._serial += 1
        heappush(self._heap, (time_ms, self._serial, call, args))

    def run_until(self, time_ms: int) -> None:
        """Let time pass up to and including `time_ms`."""
        heap = self._heap
        while heap and heap[0][0] <= time_ms:
            self.now_ms, _, call, args = heappop(heap)
            self.events += 1
            call(*args)
            if self.events > self.events_max:
                message = f"{self.events} events at {self.now_ms} ms"
                raise RunawayError(message)
        self.now_ms = time_ms
