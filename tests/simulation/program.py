"""Many seeds on all cores."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from multiprocessing import get_context
from time import monotonic
from typing import Any, NamedTuple

from tests.simulation.counts import MUST_HAPPEN, MUST_HAPPEN_TO_ORDERS, missing
from tests.simulation.journey import Journey
from tests.simulation.journey_mutation import JourneyMutation
from tests.simulation.mutation import Mutation
from tests.simulation.world import World, attempt

CHUNK = 20
NICE = 10
"""Seeds take whatever the cores have left: real processes that are tested at the same time go first."""
TRACE_LINES = 80


class Kind(NamedTuple):
    """Of world: what a seed is the seed of, and what must have happened in many of them."""

    world: type[World]
    mutation: type[Mutation]
    must_happen: dict[str, str]


KINDS = {
    "stock": Kind(World, Mutation, MUST_HAPPEN),
    "journey": Kind(Journey, JourneyMutation, MUST_HAPPEN_TO_ORDERS),
}
"""One ledger and its faults; or both, with agents, a provider, and customers who cancel."""


class Failure(NamedTuple):
    """A seed that went wrong."""

    kind: str
    seed: int
    error: str


class Result(NamedTuple):
    """Of a range of seeds."""

    kind: str
    seeds: int
    seconds: float
    failures: list[Failure]
    counts: Counter[str]

    def missing(self) -> list[str]:
        """Faults that never happened."""
        return missing(self.counts, KINDS[self.kind].must_happen)


def _one(kind: str, seed: int) -> tuple[int, str, Counter[str]]:
    world, mutation, _ = KINDS[kind]
    error, counts = attempt(seed, mutation(), world)
    return seed, "" if error is None else f"{type(error).__name__}: {error}", counts


def _outcomes(kind: str, seeds: list[int], processes: int) -> Iterator[tuple[int, str, Counter[str]]]:
    one = partial(_one, kind)
    if processes == 1:
        yield from map(one, seeds)
        return
    with get_context("spawn").Pool(processes, os.nice, (NICE,)) as pool:
        yield from pool.imap_unordered(one, seeds, CHUNK)


def run_seeds(
    kind: str,
    seeds: Iterable[int],
    processes: int | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Result:
    """Every seed to its end, whatever happens in it. `progress` is told how many are done and how many failed."""
    begun = monotonic()
    wanted = list(seeds)
    counts: Counter[str] = Counter()
    failures = []
    for done, (seed, error, happened) in enumerate(_outcomes(kind, wanted, processes or os.cpu_count() or 1), 1):
        counts.update(happened)
        if error:
            failures.append(Failure(kind, seed, error))
        progress(done, len(failures))
    return Result(kind, len(wanted), monotonic() - begun, sorted(failures), counts)


def explain(failure: Failure) -> str:
    """The failing seed once more, with the end of its trace."""
    kind = KINDS[failure.kind]
    world: Any = kind.world(failure.seed, kind.mutation(), traced=True)
    try:
        world.run()
        again = "it passed this time: the run is not deterministic"
    except Exception as error:  # noqa: BLE001 - any failure is to be shown
        again = f"{type(error).__name__}: {error}"
    trace = "\n".join((world.trace or [])[-TRACE_LINES:])
    return f"{failure.kind} seed {failure.seed}: {again}\n{world.weather}\n{world.trade}\n{trace}\n"
