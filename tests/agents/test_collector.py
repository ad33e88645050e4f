"""Garbage: nothing is collected by surprise; what is new and little is, now and then."""

import gc

import pytest

from agents import collector


@pytest.fixture(autouse=True)
def _collector_as_before():
    yield
    gc.unfreeze()
    gc.enable()


class Cycle:
    def __init__(self):
        self.me = self


def test_nothing_is_collected_by_itself_from_the_beginning_on():
    collector.begin()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_few_new_objects_are_collected_and_the_living_are_frozen():
    collector.begin()
    frozen = gc.get_freeze_count()
    Cycle()
    kept = [[] for _ in range(100)]
    assert collector.tidy() >= 1
    assert gc.get_freeze_count() >= frozen + len(kept)


def test_rows_in_bulk_are_frozen_without_a_look():
    collector.begin()
    kept = [[] for _ in range(collector.NEW_MAX + 1)]
    Cycle()
    assert collector.tidy() == 0
    assert gc.get_freeze_count() > len(kept)
