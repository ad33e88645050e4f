"""The pulse: a tick tells what kept the event loop."""

from types import SimpleNamespace

import pytest

from streams import pulse
from streams.vigil import CLOCK_MS

TICK_S = CLOCK_MS / 1000


class Loop:
    """A clock by hand: each sleep takes as long as it should, and `late_s` more, once."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.late_s = 0.0
        self.slept_s: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds + self.late_s
        self.late_s = 0.0


@pytest.fixture
def loop(monkeypatch) -> Loop:
    loop = Loop()
    monkeypatch.setattr(pulse, "monotonic", lambda: loop.now_s)
    monkeypatch.setattr(pulse, "asyncio", SimpleNamespace(sleep=loop.sleep))
    return loop


async def test_a_tick_is_as_late_as_the_loop_was_busy_and_the_next_one_starts_anew(loop):
    ticks = pulse.ticks()
    assert await anext(ticks) == pytest.approx(0)
    loop.late_s = 0.2
    assert await anext(ticks) == pytest.approx(0.2)
    assert await anext(ticks) == pytest.approx(0)
    assert loop.slept_s == pytest.approx([TICK_S, TICK_S, 0])
    assert await anext(ticks) == pytest.approx(0)
    assert loop.slept_s[-1] == pytest.approx(TICK_S)
    await ticks.aclose()


async def test_whoever_wants_to_know_is_told_of_every_tick(loop):
    class EnoughError(Exception):
        pass

    told: list[float] = []

    def observe(late_s: float) -> None:
        told.append(late_s)
        loop.late_s = 0.1
        if len(told) == 3:
            raise EnoughError

    with pytest.raises(EnoughError):
        await pulse.run(observe, 1.0)
    assert told == pytest.approx([0, 0.1, 0.1])
    assert loop.slept_s == pytest.approx([1.0, 1.0, 0.9])
