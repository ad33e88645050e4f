"""`python -m tests.simulation --seeds N [--from K]`: run many seeds, print what happened; exit 1 if any is wrong."""

import argparse
import sys

from tests.simulation.counts import table
from tests.simulation.program import explain, run_seeds

ENOUGH = 2_000
"""Seeds from which on every fault must have happened."""
EXPLAINED = 3
SHOWN_EVERY = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed (default: 0)")
    parser.add_argument("--processes", type=int, default=None, help="default: one per core")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)

    def progress(done: int, failed: int) -> None:
        if done % SHOWN_EVERY == 0 and sys.stderr.isatty():
            print(f"\r{done:,} of {options.seeds:,} seeds, {failed} failed", end="", file=sys.stderr, flush=True)

    result = run_seeds(seeds, options.processes, progress)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(table(result.counts))
    print(f"\n{result.seeds:,} seeds in {result.seconds:.0f} s, {len(result.failures)} failed")
    for failure in result.failures:
        print(f"  seed {failure.seed}: {failure.error[:200]}")
    for failure in result.failures[:EXPLAINED]:
        print(f"\n{explain(failure)}")
    absent = result.missing() if result.seeds >= ENOUGH else []
    for name in absent:
        print(f"never happened: {name}")
    return 1 if result.failures or absent else 0


if __name__ == "__main__":
    sys.exit(main())
