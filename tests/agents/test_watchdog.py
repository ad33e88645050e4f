"""What counts as hanging, and what does not."""

from agents.watchdog import ASSIGNED_S, FETCH_S, PROGRESS_S, Progress, Watchdog


def watch(dog: Watchdog, now_s: float, *, assigned=True, beat_s=None, **positions: tuple[int, int]) -> str:
    named = {name: Progress(*place) for name, place in positions.items()}
    beats_s = {"hot": now_s if beat_s is None else beat_s}
    return dog.why_hung(now_s, assigned=assigned, beats_s=beats_s, positions=named)


def test_without_an_assignment_for_two_minutes_it_hangs():
    dog = Watchdog(0.0)
    assert watch(dog, ASSIGNED_S, assigned=False) == ""
    assert "no assignment" in watch(dog, ASSIGNED_S + 1, assigned=False)


def test_an_assignment_begins_the_time_anew():
    dog = Watchdog(0.0)
    assert watch(dog, 100.0, assigned=True) == ""
    assert watch(dog, 100.0 + ASSIGNED_S, assigned=False) == ""
    assert watch(dog, 101.0 + ASSIGNED_S, assigned=False) != ""


def test_a_reader_that_does_not_come_round_hangs():
    dog = Watchdog(0.0)
    assert watch(dog, FETCH_S, beat_s=0.0) == ""
    assert watch(dog, FETCH_S + 1, beat_s=0.0) == "the hot reader did not come round for 30 s"


def test_a_position_that_stays_below_the_end_hangs():
    dog = Watchdog(0.0)
    assert watch(dog, 0.0, ledger=(5, 9)) == ""
    assert watch(dog, PROGRESS_S, ledger=(5, 9)) == ""
    assert "ledger stands at 5 of 12" in watch(dog, PROGRESS_S + 1, ledger=(5, 12))


def test_a_position_that_moves_or_is_at_the_end_is_fine_however_long():
    dog = Watchdog(0.0)
    for second in range(100):
        assert watch(dog, float(second), moving=(second // 20, 1000), idle=(7, 7)) == ""


def test_what_is_not_asked_about_for_a_while_starts_anew():
    dog = Watchdog(0.0)
    assert watch(dog, 0.0, ledger=(5, 9)) == ""
    assert watch(dog, 20.0) == ""  # the broker was away: no end is known
    assert watch(dog, 21.0, ledger=(5, 9)) == ""
    assert watch(dog, 50.0, ledger=(5, 9)) == ""
    assert watch(dog, 52.0, ledger=(5, 9)) != ""
