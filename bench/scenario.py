"""What a scenario of the bench is: a question, arms that are measured in turn, and what must be reached.

A scenario is one file in bench/scenarios, listed in its catalogue. The runner enters its session once and asks it for
one round of one arm at a time; a session that was entered leaves nothing behind, however it is left.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

N = TypeVar("N", int, float)


class Plan(NamedTuple):
    """How big: `quick` shrinks times and sizes, to see that it works. Its figures mean little."""

    quick: bool

    def pick(self, full: N, quick: N) -> N:
        """One or the other."""
        return quick if self.quick else full


class Session(Protocol):
    """A scenario that is set up."""

    async def measure(self, arm: str) -> Mapping[str, float]:
        """One round of one arm: figures by name, the unit is the name's end (_per_s, _ms, _us, _bytes, _s, ratio)."""

    async def violations(self) -> int:
        """What the auditor finds in every log that was used (0: it is in memory, and checked otherwise)."""


@runtime_checkable
class Drawn(Protocol):
    """A session that can also draw what its last round was like."""

    def curves(self) -> Mapping[str, Sequence[tuple[float, float]]]:
        """Lines of one plot, by name: (seconds, value)."""


class Goal(NamedTuple):
    """A bound on the median of one arm's figure; `of` another arm: on the ratio, taken within each round."""

    figure: str
    arm: str
    least: float | None = None
    most: float | None = None
    of: str = ""


class Scenario(NamedTuple):
    """One question to the machine, and how it is asked."""

    name: str
    question: str
    arms: tuple[str, ...]
    rounds: int
    goals: tuple[Goal, ...]
    session: Callable[[Plan], AbstractAsyncContextManager[Session]]
