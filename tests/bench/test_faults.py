"""The faults of a soak: drawn by a seed, all of them, and mild ones at the end."""

from itertools import islice

from bench.faults import MILD, Fault, draw


def test_a_seed_draws_the_same_faults_every_time_and_another_one_others():
    first, again, other = (list(islice(draw(seed, 100), 20)) for seed in (1, 1, 2))
    assert first == again != other


def test_every_kind_comes_once_before_one_comes_again():
    kinds = len(Fault)
    drawn = list(islice(draw(7, 100), 2 * kinds))
    assert set(drawn[:kinds]) == set(drawn[kinds:]) == set(Fault)


def test_from_a_number_on_only_mild_ones_come():
    drawn = list(islice(draw(7, 15), 30))
    assert set(drawn[:15]) == set(Fault)
    assert set(drawn[15:]) == set(MILD)
