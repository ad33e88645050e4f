"""What a test may take out of the protocol. The plain Mutation takes out nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from domain.outcomes import InvariantViolatedError
from domain.state import Inventory
from streams.acceptance import Acceptance
from streams.fold import Fold
from streams.machine import Member, PartitionMachine
from tables.stock import StockFold
from tests.simulation.gateway import View
from tests.simulation.operator import BREAKS, FAULTS
from tests.simulation.weather import Weather


class PlantedPools(dict[str, Any]):
    """Pools among which a bug sits: looking at one name fails, looking at another breaks the state."""

    def get(self, key: str, default: Any = None) -> Any:
        if key == FAULTS:
            raise RuntimeError("planted bug")
        if key == BREAKS:
            raise InvariantViolatedError("planted break")
        return super().get(key, default)


class PlantedFold(StockFold):
    """The stock fold with the planted bugs."""

    def new_state(self, partition: int) -> Inventory:
        state = super().new_state(partition)
        state.pools = PlantedPools()
        return state


class Mutation:
    """Hooks of a world. Mutants override them, or patch the product in `patched`.

    `replays`: whether all workers decide by the same code, so that the referee may decide again. `tolerated`: what is
    to be expected without the rule, and no harm by itself. `patience_ms`: until a run without rest is stuck; two
    parked minutes, and some.
    """

    patience_ms = 150_000
    replays = True
    tolerated: frozenset[str] = frozenset()

    def weather(self, weather: Weather) -> Weather:
        """The weather in which the rule matters."""
        return weather

    def acceptance(self) -> Acceptance:
        """The referee's."""
        return Acceptance()

    def view(self) -> View:
        """The gateways'."""
        return View()

    def fold(self) -> Fold[Any]:
        """Everybody's, of stock."""
        return PlantedFold()

    def machine(
        self, fold: Fold[Any], partition: int, me: Member, rng: Random, takeover_ms: int, log_id: bytes
    ) -> PartitionMachine:
        """A worker's."""
        return PartitionMachine(fold, partition, me, rng, takeover_ms, log_id)

    @contextmanager
    def patched(self) -> Iterator[None]:
        """While worlds of this mutation run."""
        yield
