"""The runner: arms in turn, goals, and no speed for a run with a violation."""

import asyncio

import pytest

from bench.goals import NoFigureError
from bench.runner import order, run
from bench.scenario import Goal, Plan
from tests.bench.scenarios import FAST, FIGURES, SLOW, DrawnRounds, Rounds, scenario


def quiet(*_):
    """Tell nobody."""


async def measured(rounds: Rounds, *goals: Goal):
    return await run(scenario(rounds, *goals), Plan(quick=True), 3, quiet)


def test_every_arm_has_a_turn_in_each_round_and_each_round_begins_with_the_next_arm():
    turns = list(order(("a", "b", "c"), 4))
    assert [arm for _, arm in turns] == [*"abc", *"bca", *"cab", *"abc"]
    assert [number for number, _ in turns] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3


async def test_a_result_has_every_round_of_every_arm_in_order():
    rounds = Rounds(FIGURES)
    result = await measured(rounds)
    assert rounds.asked == [FAST, SLOW, SLOW, FAST, FAST, SLOW]
    assert {arm: figures["work_per_s"] for arm, figures in result.figures.items()} == FIGURES
    assert (result.rounds, result.quick, result.violations, result.failed) == (3, True, 0, False)


async def test_a_run_with_a_violation_fails_and_has_neither_figures_nor_goals_nor_curves():
    result = await measured(DrawnRounds(FIGURES, found=2), Goal("work_per_s", FAST, least=1))
    assert (result.failed, result.violations) == (True, 2)
    assert (result.figures, result.goals, result.curves) == ({}, [], {})


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal("work_per_s", FAST, least=200), 200, True),
        (Goal("work_per_s", FAST, least=201), 200, False),
        (Goal("work_per_s", FAST, most=200), 200, True),
        (Goal("work_per_s", FAST, most=199), 200, False),
        (Goal("work_per_s", FAST, least=100, most=150), 200, False),
        (Goal("work_per_s", FAST, least=2, of=SLOW), 2, True),
        (Goal("work_per_s", FAST, most=1.9, of=SLOW), 2, False),
    ],
)
async def test_a_goal_is_judged_by_the_median_of_the_rounds_or_of_their_ratios(goal, value, met):
    (judged,) = (await measured(Rounds(FIGURES), goal)).goals
    assert (judged.value, judged.met) == (value, met)


async def test_a_goal_about_something_that_was_not_measured_is_a_mistake():
    with pytest.raises(NoFigureError, match="no figure nothing of arm fast"):
        await measured(Rounds(FIGURES), Goal("nothing", FAST, least=1))


async def test_the_lines_that_a_session_draws_are_kept_by_arm():
    result = await measured(DrawnRounds(FIGURES))
    assert result.curves == {arm: {"line": [(0.0, 1.0), (1.0, 2.0)]} for arm in (FAST, SLOW)}


async def test_the_session_is_left_when_the_run_is_cancelled_or_a_round_fails():
    rounds = Rounds({FAST: [1], SLOW: [1]})
    with pytest.raises(IndexError):
        await measured(rounds)
    assert rounds.left == 1

    class Endless(Rounds):
        async def measure(self, arm):
            await asyncio.Event().wait()

    endless = Endless(FIGURES)
    running = asyncio.ensure_future(measured(endless))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert endless.left == 1


async def test_progress_tells_what_is_done_and_what_is_left():
    told = []
    await run(scenario(Rounds(FIGURES)), Plan(quick=False), 2, lambda *step: told.append(step))
    assert told == [
        (0, 4, "setting up"),
        (0, 4, "round 1 of 2: fast"),
        (1, 4, "round 1 of 2: slow"),
        (2, 4, "round 2 of 2: slow"),
        (3, 4, "round 2 of 2: fast"),
        (4, 4, "auditing"),
    ]
