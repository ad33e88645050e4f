"""The auditor's memory of refusals, in generations of log time."""

from collections import deque

from ops.audit.limits import REFUSAL_GENERATION_MS, REFUSAL_GENERATIONS
from ops.audit.pools import Refusal


class Refused:
    """First answers of refused keys."""

    def __init__(self) -> None:
        self._generations: deque[tuple[int, dict[bytes, Refusal]]] = deque()
        self._number = -1
        self._count = 0

    def turn(self, clk: int) -> None:
        """Log time moved."""
        number = clk // REFUSAL_GENERATION_MS
        if number != self._number:
            self._number = number
            self._generations.appendleft((number, {}))
            while self._generations[-1][0] <= number - REFUSAL_GENERATIONS:
                self._count -= len(self._generations.pop()[1])

    def get(self, hold: bytes) -> Refusal | None:
        """The newest refusal of the key that is kept."""
        for _, refusals in self._generations:
            found = refusals.get(hold)
            if found is not None:
                return found
        return None

    def add(self, hold: bytes, refusal: Refusal) -> None:
        """In the generation of the last `turn`."""
        self._generations[0][1][hold] = refusal
        self._count += 1

    def forget(self, hold: bytes) -> None:
        """The key was decided anew."""
        for _, refusals in self._generations:
            if refusals.pop(hold, None) is not None:
                self._count -= 1

    def __len__(self) -> int:
        """At least as many as the product remembers."""
        return self._count
