"""The ledger protocol under random faults: nothing goes wrong, and everything that should be hard happened."""

import subprocess
import sys

import pytest

from tests.simulation.counts import MUST_HAPPEN
from tests.simulation.program import explain, run_seeds
from tests.simulation.seeds import REGRESSIONS
from tests.simulation.world import simulate

SEEDS = 2_000
HEADS = """
from tests.simulation.world import simulate
print(*(part.referee.acceptance.digest.hex() for seed in (3, 14, 15) for part in simulate(seed).parts))
"""


def check(result):
    assert not result.failures, "\n".join(explain(failure) for failure in result.failures[:3])


def test_seeds_that_once_failed_pass():
    check(run_seeds(REGRESSIONS, processes=1))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_thousand_seeds_pass_and_every_fault_happened():
    result = run_seeds(range(SEEDS))
    check(result)
    assert result.seeds >= SEEDS
    assert result.missing() == []


def test_a_fault_that_never_happened_is_told():
    result = run_seeds([1], processes=1)
    absent = result.missing()
    assert absent
    assert set(absent) < set(MUST_HAPPEN)


def test_a_seed_is_one_run_whatever_the_hash_seed_of_the_process():
    heads = [
        subprocess.run(
            [sys.executable, "-c", HEADS],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for hash_seed in ("1", "2")
    ]
    here = [part.referee.acceptance.digest.hex() for seed in (3, 14, 15) for part in simulate(seed).parts]
    assert heads == [here, here]
