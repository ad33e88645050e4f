"""Who waits for a command hears of it in time, or that the time is over; nothing is left of a wait."""

import asyncio

import pytest

from domain.ids import Receipt
from domain.outcomes import Outcome
from gateway import waiting
from gateway.problems import Problem, ProblemError
from gateway.view import Answer
from gateway.waiting import Patience
from streams.protocol import Tick
from streams.seats import Batch, Seat

ANSWER = Answer(Outcome.SOLD_OUT, False, Receipt(0, 1, 0), None)


@pytest.fixture(autouse=True)
def _swept_often(monkeypatch):
    monkeypatch.setattr(waiting, "SWEEP_S", 0.005)


def seat(*, handed: bool = False, acked: bool = False) -> Seat:
    one = Seat(Tick())
    if handed:
        one.batch = Batch(1, 0, [one], b"", 0.0)
        one.batch.acked = acked
    return one


async def begun(something) -> None:
    """Until it is something, as that somebody waits."""
    async with asyncio.timeout(5):
        while something() is None:
            await asyncio.sleep(0)


async def test_what_is_decided_in_time_is_told():
    patience, one = Patience(), seat()
    deciding = asyncio.create_task(patience.decided(one, 30))
    await begun(lambda: one.decided)
    assert len(patience) == 1
    one.decided.set_result(ANSWER)
    assert await deciding == ANSWER
    assert len(patience) == 0


async def test_what_is_not_decided_in_time_is_none():
    patience = Patience()
    assert await patience.decided(seat(), 0.01) is None
    assert await patience.decided(seat(), 0) is None
    assert len(patience) == 0


async def test_each_waits_for_its_own_time():
    patience = Patience()
    long = seat()
    waiting_long = asyncio.create_task(patience.decided(long, 30))
    await begun(lambda: long.decided)
    assert await patience.decided(seat(), 0.01) is None
    assert len(patience) == 1
    long.decided.set_result(ANSWER)
    assert await waiting_long == ANSWER


async def test_who_comes_when_all_others_have_gone_does_not_wait_for_ever():
    patience = Patience()
    assert await patience.decided(seat(), 0.01) is None
    await begun(lambda: None if patience._is_sweeping else patience)
    async with asyncio.timeout(5):
        assert await patience.decided(seat(), 0.01) is None


async def test_what_is_acked_is_not_waited_for():
    await Patience().acked(seat(handed=True, acked=True), 0)


async def test_an_ack_in_time_is_enough():
    patience, one = Patience(), seat(handed=True)
    acking = asyncio.create_task(patience.acked(one, 30))
    await begun(lambda: one.acked)
    one.acked.set_result(True)
    await acking


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_what_never_left_the_queue_never_will(seconds):
    one = seat()
    with pytest.raises(ProblemError) as caught:
        await Patience().acked(one, seconds)
    assert (caught.value.problem, one.withdrawn) == (Problem.UNAVAILABLE, True)


async def test_of_what_left_without_an_ack_nobody_knows():
    with pytest.raises(ProblemError) as caught:
        await Patience().acked(seat(handed=True), 0.01, "/v1/orders/1")
    assert (caught.value.problem, caught.value.headers) == (Problem.OUTCOME_UNKNOWN, {"Location": "/v1/orders/1"})


async def test_who_stops_waiting_leaves_nothing_behind():
    patience, one = Patience(), seat()
    deciding = asyncio.create_task(patience.decided(one, 30))
    await begun(lambda: one.decided)
    deciding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deciding
    assert len(patience) == 0
