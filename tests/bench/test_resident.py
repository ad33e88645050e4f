"""Resident sizes: what grows in the last tenth of the time against the one before."""

import os

import pytest

from bench import resident
from bench.resident import MIB, Resident, resident_bytes


@pytest.fixture
def sizes(monkeypatch):
    """Resident bytes by pid; a pid that is not there is gone."""
    known: dict[int, int] = {}

    def look(pid: int) -> int:
        if pid not in known:
            raise FileNotFoundError(pid)
        return known[pid]

    monkeypatch.setattr(resident, "resident_bytes", look)
    return known


def test_the_last_tenth_is_compared_with_the_one_before(sizes):
    seen = Resident(100)
    for second in range(100):
        sizes.update({1: 100 * MIB + max(0, second - 50) * MIB, 2: 200 * MIB})
        seen.see(second, {"grows": 1, "stands": 2})
    growth = seen.growth()
    assert (growth["grows"].before_mib, growth["grows"].after_mib) == (134.5, 144.5)
    assert growth["grows"].ratio == pytest.approx(1.0743)
    assert growth["stands"].ratio == 1.0


def test_who_was_started_again_in_that_time_or_is_gone_is_not_judged(sizes):
    seen = Resident(100)
    sizes.update({1: MIB, 2: MIB, 3: MIB})
    for second in range(100):
        if second == 95:
            del sizes[3]
        seen.see(second, {"again": 1 if second < 85 else 2, "gone": 3 if second < 80 else None, "down": None})
    assert seen.growth() == {}


def test_the_resident_size_is_that_of_the_process():
    before = resident_bytes(os.getpid())
    kept = bytearray(b"x") * (64 * MIB)
    assert 0.8 * len(kept) <= resident_bytes(os.getpid()) - before <= 1.5 * len(kept)
