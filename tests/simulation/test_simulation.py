"""The protocol, both folds, agents and money under random faults: nothing goes wrong, and all that is hard happened."""

import subprocess
import sys

import pytest

from tests.simulation.journey import journey
from tests.simulation.program import KINDS, explain, run_seeds
from tests.simulation.seeds import REGRESSIONS
from tests.simulation.world import simulate

SEEDS = 1_000
"""Of each kind of world."""
HEADS = """
from tests.simulation.journey import journey
from tests.simulation.world import simulate
worlds = [run(seed) for run in (simulate, journey) for seed in (3, 14)]
print(*(part.referee.acceptance.digest.hex() for world in worlds for part in world.parts))
"""


def check(result):
    assert not result.failures, "\n".join(explain(failure) for failure in result.failures[:3])


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_that_once_failed_pass(kind):
    check(run_seeds(kind, REGRESSIONS[kind], processes=1))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_seeds_pass_and_every_fault_happened(kind):
    result = run_seeds(kind, range(SEEDS))
    check(result)
    assert result.seeds >= SEEDS
    assert result.missing() == []


def test_a_fault_that_never_happened_is_told():
    result = run_seeds("stock", [1], processes=1)
    absent = result.missing()
    assert absent
    assert set(absent) < set(KINDS["stock"].must_happen)


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
    here = [
        part.referee.acceptance.digest.hex()
        for run in (simulate, journey)
        for seed in (3, 14)
        for part in run(seed).parts
    ]
    assert heads == [here, here]
