"""The pulse: a tick tells what kept the event loop."""

import asyncio
import time

from streams.pulse import ticks
from streams.vigil import CLOCK_MS

BLOCKED_S = 0.2


async def test_a_tick_is_as_late_as_the_loop_was_busy_and_the_next_one_starts_anew():
    pulse = ticks()
    began_s = time.monotonic()
    await anext(pulse)
    assert time.monotonic() - began_s >= CLOCK_MS / 1000 - 0.001
    waiting = asyncio.ensure_future(anext(pulse))
    await asyncio.sleep(0)  # it has begun to wait
    time.sleep(BLOCKED_S)  # noqa: ASYNC251 - this is what it is to tell
    assert await waiting >= BLOCKED_S - 2 * CLOCK_MS / 1000
    assert await anext(pulse) < BLOCKED_S
    await pulse.aclose()
