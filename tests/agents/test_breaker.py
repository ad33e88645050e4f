"""The circuit opens after outages in a row, for 2, 4, 8 s, lets one probe through, and closes when that is answered."""

from math import inf

import pytest

from agents.breaker import FAILURES_MAX, JITTER, LONGEST_S, Breaker, Circuit


class Scene:
    def __init__(self, jitter=0.0):
        self.now = 100.0
        self.told = []
        self.breaker = Breaker(lambda: self.now, lambda: jitter, self.told.append)

    def call(self, *, outage):
        assert self.breaker.wait_s() == 0
        self.breaker.ended(self.breaker.began(), outage=outage)

    def opened(self):
        for _ in range(FAILURES_MAX):
            self.call(outage=True)
        return self


@pytest.fixture
def scene():
    return Scene()


def test_outages_in_a_row_open_it_and_one_answer_between_them_does_not(scene):
    for _ in range(FAILURES_MAX - 1):
        scene.call(outage=True)
    scene.call(outage=False)
    for _ in range(FAILURES_MAX - 1):
        scene.call(outage=True)
    assert scene.breaker.circuit is Circuit.CLOSED
    scene.call(outage=True)
    assert scene.breaker.circuit is Circuit.OPEN
    assert scene.breaker.wait_s() == 2


def test_one_probe_goes_and_nobody_else_until_it_has_ended(scene):
    scene.opened()
    scene.now += 2
    probe = scene.breaker.began()
    assert scene.breaker.circuit is Circuit.HALF_OPEN
    assert scene.breaker.wait_s() == inf
    scene.breaker.ended(probe, outage=False)
    assert scene.breaker.circuit is Circuit.CLOSED
    assert scene.told == [Circuit.OPEN, Circuit.HALF_OPEN, Circuit.CLOSED]


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_each_failed_probe_doubles_the_wait_within_the_jitter_up_to_the_longest(jitter):
    scene = Scene(jitter).opened()
    for base in (2, 4, 8, 16, LONGEST_S, LONGEST_S):
        wait_s = scene.breaker.wait_s()
        assert wait_s == pytest.approx(base * (1 + JITTER * jitter))
        scene.now += wait_s
        scene.call(outage=True)


def test_after_it_closed_the_waits_begin_again(scene):
    scene.opened()
    for outage in (True, True, False):
        scene.now += scene.breaker.wait_s()
        scene.call(outage=outage)
    scene.opened()
    assert scene.breaker.wait_s() == 2


def test_calls_from_before_say_nothing_about_now(scene):
    early = [scene.breaker.began() for _ in range(20)]
    scene.opened()
    for turn in early:
        scene.breaker.ended(turn, outage=False)
    assert scene.breaker.circuit is Circuit.OPEN
    scene.now += 2
    probe = scene.breaker.began()
    scene.breaker.ended(early[0], outage=False)
    assert scene.breaker.circuit is Circuit.HALF_OPEN
    scene.breaker.ended(early[0], outage=True)
    assert scene.breaker.circuit is Circuit.HALF_OPEN
    scene.breaker.ended(probe, outage=False)
    scene.breaker.ended(early[0], outage=True)
    assert scene.breaker.circuit is Circuit.CLOSED
