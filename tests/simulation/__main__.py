"""`python -m tests.simulation --seeds N [--from K]`: run many seeds, print what happened; exit 1 if any is wrong.

Half of the seeds are of stock alone (more faults of its protocol), half are whole journeys of orders.
"""

import argparse
import sys

from tests.simulation.counts import table
from tests.simulation.program import KINDS, explain, run_seeds

ENOUGH = 1_000
"""Seeds of a kind from which on every fault must have happened."""
EXPLAINED = 3
SHOWN_EVERY = 100


def run(kind: str, seeds: range, processes: int | None) -> bool:
    """Whether all is well with these."""

    def progress(done: int, failed: int) -> None:
        if done % SHOWN_EVERY == 0 and sys.stderr.isatty():
            print(f"\r{kind}: {done:,} of {len(seeds):,} seeds, {failed} failed", end="", file=sys.stderr, flush=True)

    result = run_seeds(kind, seeds, processes, progress)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(table(result.counts, KINDS[kind].must_happen))
    print(f"\n{kind}: {result.seeds:,} seeds in {result.seconds:.0f} s, {len(result.failures)} failed")
    for failure in result.failures:
        print(f"  seed {failure.seed}: {failure.error[:200]}")
    for failure in result.failures[:EXPLAINED]:
        print(f"\n{explain(failure)}")
    absent = result.missing() if result.seeds >= ENOUGH else []
    for name in absent:
        print(f"never happened: {name}")
    return not (result.failures or absent)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many in all (default: 10000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (default: 0)")
    parser.add_argument("--processes", type=int, default=None, help="default: one per core")
    parser.add_argument("--kind", choices=KINDS, default=None, help="only seeds of this kind of world")
    options = parser.parse_args()
    kinds = [options.kind] if options.kind else list(KINDS)
    each = -(-options.seeds // len(kinds))
    well = [run(kind, range(options.first, options.first + each), options.processes) for kind in kinds]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
