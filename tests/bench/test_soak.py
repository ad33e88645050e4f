"""What passes a soak: each of its conditions alone fails it."""

from collections import Counter
from types import SimpleNamespace

import pytest

from bench.resident import Growth
from bench.soak import Told, verdict

SOUND = Told(
    faults=[],
    capacity_per_s=1_000.0,
    minutes=20,
    crowd=SimpleNamespace(waiting=0),
    statuses=Counter(),
    growth={"worker-1": Growth(100.0, 104.9, 1.049)},
    lag=0,
    report=SimpleNamespace(ok=True),
)


def test_a_sound_run_passes():
    assert all(verdict(SOUND).values())


def test_in_a_run_too_short_for_anything_to_leave_memory_it_is_not_judged():
    grown = SOUND._replace(growth={"worker-1": Growth(100.0, 200.0, 2.0)}, minutes=2)
    assert all(verdict(grown).values())
    assert not all(verdict(grown._replace(minutes=19)).values())


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("memory_stands_still", {"growth": {"worker-1": Growth(100.0, 105.1, 1.051), "broker": Growth(1.0, 1.0, 1.0)}}),
        ("memory_stands_still", {"growth": {}}),
        ("lag_is_0", {"lag": 1}),
        ("everything_is_decided", {"crowd": SimpleNamespace(waiting=1)}),
        ("the_auditor_finds_nothing", {"report": SimpleNamespace(ok=False)}),
    ],
)
def test_each_condition_alone_fails_a_run(condition, told):
    judged = verdict(SOUND._replace(**told))
    assert [name for name, holds in judged.items() if not holds] == [condition]
