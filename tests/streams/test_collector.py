"""Garbage: nothing is collected by surprise; what is new is, each second, and now and then everything."""

import asyncio
import gc
import weakref

import pytest

from streams import collector


@pytest.fixture(autouse=True)
def _collector_as_before():
    yield
    gc.unfreeze()
    gc.enable()


class Cycle:
    def __init__(self):
        self.me = self


async def collections(monkeypatch, count: int) -> list[float]:
    monkeypatch.setattr(collector, "EVERY_S", 0)
    took_s: list[float] = []
    running = asyncio.create_task(collector.run(took_s.append))
    async with asyncio.timeout(10):
        while len(took_s) < count:
            await asyncio.sleep(0)
    running.cancel()
    return took_s


def test_nothing_is_collected_by_itself_from_the_beginning_on():
    collector.begin()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0


async def test_what_is_new_is_collected_and_nothing_more_is_frozen(monkeypatch):
    collector.begin()
    frozen = gc.get_freeze_count()
    gone = weakref.ref(Cycle())
    kept = [[] for _ in range(100)]
    assert all(seconds > 0 for seconds in await collections(monkeypatch, 1))
    assert gone() is None
    assert len(kept) == 100
    assert gc.get_freeze_count() <= frozen


async def test_what_grew_old_before_it_became_garbage_is_collected_as_well(monkeypatch):
    monkeypatch.setattr(collector, "ALL_EVERY", 5)
    collector.begin()
    old = Cycle()
    gone = weakref.ref(old)
    for _ in range(3):
        gc.collect(1)
    del old
    await collections(monkeypatch, 4)
    assert gone() is not None
    await collections(monkeypatch, 5)
    assert gone() is None


@pytest.mark.parametrize("at_once", [True, False])
async def test_great_numbers_are_state_and_frozen_instead_of_looked_at(monkeypatch, at_once):
    collector.begin()
    frozen = gc.get_freeze_count()
    state: list = []
    monkeypatch.setattr(collector, "EVERY_S", 0)
    took_s: list[float] = []
    running = asyncio.create_task(collector.run(took_s.append, 20_000))
    for _ in range(1 if at_once else 20):
        state += [[] for _ in range(40_000 if at_once else 2_000)]
        count = len(took_s)
        async with asyncio.timeout(10):
            while len(took_s) == count:
                await asyncio.sleep(0)
    running.cancel()
    assert gc.get_freeze_count() > frozen + 20_000
    assert len(gc.get_objects()) < 21_000
    assert len(state) == 40_000
