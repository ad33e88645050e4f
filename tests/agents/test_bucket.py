"""Calls a second: never more than the limit in any second, never fewer than it allows."""

import pytest

from agents.bucket import BURST_S, Bucket


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def go(bucket, clock, until_s, late_s=0.0):
    """When calls went, if somebody always wants one more, and is `late_s` late each time."""
    went = []
    while clock.now < until_s:
        wait_s = bucket.wait_s()
        if wait_s:
            clock.now += wait_s + late_s
            continue
        bucket.take()
        went.append(clock.now)
    return went


@pytest.mark.parametrize("late_s", [0.0, 0.01])
def test_in_no_second_more_than_the_limit_and_a_twentieth_and_in_all_as_many(clock, late_s):
    went = go(Bucket(25, clock), clock, 110.0, late_s)
    most = max(sum(start <= at < start + 1 for at in went) for start in went)
    assert most <= 25 * (1 + BURST_S) + 1
    assert len(went) >= 250


def test_zero_is_no_limit(clock):
    bucket = Bucket(0, clock)
    for _ in range(1_000):
        assert bucket.wait_s() == 0
        bucket.take()


def test_a_rate_may_change(clock):
    bucket = Bucket(10, clock)
    bucket.per_s = 100
    assert len(go(bucket, clock, 101.0)) in range(100, 108)


def test_a_pause_holds_even_without_a_limit(clock):
    for per_s in (0, 25):
        bucket = Bucket(per_s, clock)
        bucket.pause(3)
        bucket.pause(1)
        assert bucket.wait_s() == pytest.approx(3)
        clock.now += 3
        assert bucket.wait_s() == 0
