"""The backlog: how long one more would wait, concluded from own decisions alone."""

import pytest

from streams.backlog import CALM_S, GIVEN_UP_S, STEADY_S, Backlog

WAIT_MAX_S = 2.0


class Owner:
    """Decides `rate` commands a second, in order; batches of a gateway come every `every_s`."""

    def __init__(self, rate: float, *, size: int = 50, every_s: float = 0.005) -> None:
        self.backlog = Backlog(WAIT_MAX_S)
        self.rate = rate
        self.size = size
        self.every_s = every_s
        self.now_s = 0.0
        self.waits_s: list[float] = []
        """Of every batch that was decided."""
        self.shed = 0
        self._number = 0
        self._queue: list[tuple[int, float]] = []
        self._credit = self._paused_until_s = 0.0

    def run(self, seconds: float, *, offers: bool = True) -> None:
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += self.every_s
            if offers:
                self._offer()
            able = self.rate * self.every_s if self.now_s >= self._paused_until_s else 0.0
            self._credit += able
            while self._queue and self._credit >= self.size:
                self._credit -= self.size
                number, at_s = self._queue.pop(0)
                self.waits_s.append(self.now_s - at_s)
                self.backlog.decide(number, self.now_s)
            self._credit = self._credit if self._queue else 0.0

    def pause(self, seconds: float) -> None:
        """Decides nothing for a while."""
        self._paused_until_s = self.now_s + seconds

    def _offer(self) -> None:
        if self.backlog.is_over(self.now_s):
            self.shed += 1
            return
        for _ in range(self.size):
            self.backlog.enter()
        self._number += 1
        self.backlog.hand(self._number, self.size, self.now_s)
        self._queue.append((self._number, self.now_s))


@pytest.mark.parametrize("rate", [1_000, 2_000, 5_000])
def test_of_several_times_what_an_owner_can_do_so_much_is_taken_as_is_decided_in_time(rate):
    owner = Owner(rate)  # 10,000/s are offered
    owner.run(30)
    assert owner.shed > 1_000
    late = owner.waits_s[len(owner.waits_s) // 2 :]
    assert max(owner.waits_s) < 1.8 * WAIT_MAX_S  # the first, before it is known how slow it is
    assert max(late) < 1.2 * WAIT_MAX_S
    assert min(late) > 0.5 * WAIT_MAX_S  # nobody is turned away while the owner is idle
    owner.run(3, offers=False)
    assert owner.backlog.undecided == 0
    assert owner.backlog.wait_s(owner.now_s) < CALM_S + STEADY_S


def test_an_owner_that_keeps_up_has_nobody_turned_away():
    owner = Owner(12_000)
    owner.run(10)
    assert owner.shed == 0
    assert owner.backlog.wait_s(owner.now_s) < CALM_S


def test_a_second_without_an_owner_turns_nobody_away():
    owner = Owner(100_000)
    owner.run(5)
    owner.pause(1.0)
    owner.run(5)
    assert owner.shed == 0
    assert max(owner.waits_s) > 0.9


def test_without_an_owner_purchases_are_turned_away_after_a_while_and_taken_again_when_there_is_one():
    owner = Owner(100_000)
    owner.run(1)
    owner.pause(10)
    owner.run(9.9)
    assert 7.5 < owner.shed * owner.every_s < 8
    owner.run(1)
    shed = owner.shed
    owner.run(1)
    assert owner.shed == shed


def test_of_a_burst_at_a_slow_owner_no_more_is_taken_than_it_decides_in_time():
    owner = Owner(2_000)
    owner.run(3)
    owner.run(3, offers=False)
    owner.run(1)
    taken = 0
    while not owner.backlog.is_over(owner.now_s):
        owner.backlog.enter()
        taken += 1
    assert taken < 1.2 * WAIT_MAX_S * 2_000


def test_who_buys_little_beside_a_crowd_is_told_of_the_crowds_wait():
    """The owner decides in order what 4 a second of ours and thousands of others ask."""
    backlog = Backlog(WAIT_MAX_S)
    handed: list[tuple[int, float]] = []
    told_s: list[float] = []
    for step in range(400):
        now_s = step / 4
        while handed and handed[0][1] + 3.0 <= now_s:
            backlog.decide(handed.pop(0)[0], now_s)
        if backlog.is_over(now_s):
            told_s.append(backlog.wait_s(now_s))
        else:
            backlog.enter()
            backlog.hand(step, 1, now_s)
            handed.append((step, now_s))
    assert len(told_s) > 100
    assert max(told_s) < 1.3 * 3.0


def test_decisions_that_were_missed_count_as_seen_with_the_next_one():
    backlog = Backlog(WAIT_MAX_S)
    for number in (1, 2, 3):
        backlog.enter()
        backlog.hand(number, 1, 0.0)
    backlog.decide(2, 0.01)
    assert backlog.undecided == 1
    backlog.decide(1, 0.02)
    assert backlog.undecided == 1


def test_what_is_withdrawn_waits_for_nothing():
    backlog = Backlog(WAIT_MAX_S)
    backlog.enter()
    backlog.withdraw(1)
    assert (backlog.undecided, backlog.wait_s(100.0)) == (0, 0.0)


def test_a_decision_that_is_never_seen_does_not_turn_purchases_away_for_good():
    backlog = Backlog(WAIT_MAX_S)
    for number, at_s in ((1, -20.0), (2, -15.0), (3, 0.0)):
        backlog.enter()
        backlog.hand(number, 1, at_s)
    backlog.decide(1, 0.0)
    backlog.decide(2, 1.0)  # a slow owner, before it was lost
    assert backlog.wait_s(GIVEN_UP_S) == GIVEN_UP_S - 1
    assert backlog.wait_s(GIVEN_UP_S + 0.1) == 0.0
    assert backlog.undecided == 0
