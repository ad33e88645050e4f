"""Many seeds on all cores."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from time import monotonic
from typing import NamedTuple

from tests.simulation.counts import missing
from tests.simulation.mutation import Mutation
from tests.simulation.world import World, attempt

CHUNK = 20
TRACE_LINES = 80


class Failure(NamedTuple):
    """A seed that went wrong."""

    seed: int
    error: str


class Result(NamedTuple):
    """Of a range of seeds."""

    seeds: int
    seconds: float
    failures: list[Failure]
    counts: Counter[str]

    def missing(self) -> list[str]:
        """Faults that never happened."""
        return missing(self.counts)


def _one(seed: int) -> tuple[int, str, Counter[str]]:
    error, counts = attempt(seed)
    return seed, "" if error is None else f"{type(error).__name__}: {error}", counts


def _outcomes(seeds: list[int], processes: int) -> Iterator[tuple[int, str, Counter[str]]]:
    if processes == 1:
        yield from map(_one, seeds)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(_one, seeds, CHUNK)


def run_seeds(
    seeds: Iterable[int], processes: int | None = None, progress: Callable[[int, int], None] = lambda *_: None
) -> Result:
    """Every seed to its end, whatever happens in it. `progress` is told how many are done and how many failed."""
    begun = monotonic()
    wanted = list(seeds)
    counts: Counter[str] = Counter()
    failures = []
    for done, (seed, error, happened) in enumerate(_outcomes(wanted, processes or os.cpu_count() or 1), 1):
        counts.update(happened)
        if error:
            failures.append(Failure(seed, error))
        progress(done, len(failures))
    return Result(len(wanted), monotonic() - begun, sorted(failures), counts)


def explain(failure: Failure) -> str:
    """The failing seed once more, with the end of its trace."""
    world = World(failure.seed, Mutation(), traced=True)
    try:
        world.run()
        again = "it passed this time: the run is not deterministic"
    except Exception as error:  # noqa: BLE001 - any failure is to be shown
        again = f"{type(error).__name__}: {error}"
    trace = "\n".join((world.trace or [])[-TRACE_LINES:])
    return f"seed {failure.seed}: {again}\n{world.weather}\n{trace}\n"
