"""The pulse of an event loop: a tick every 25 ms and how late it came. What kept the tick waiting kept everything."""

import asyncio
from collections.abc import AsyncIterator, Callable
from time import monotonic

from streams.vigil import CLOCK_MS


async def ticks(every_s: float = CLOCK_MS / 1000) -> AsyncIterator[float]:
    """For ever: how many seconds late this tick is."""
    due_s = monotonic()
    while True:
        due_s = max(due_s + every_s, monotonic())
        await asyncio.sleep(due_s - monotonic())
        yield max(0.0, monotonic() - due_s)


async def run(observe: Callable[[float], None], every_s: float = CLOCK_MS / 1000) -> None:
    """Tell `observe` of each tick how late it was, until cancelled."""
    async for late_s in ticks(every_s):
        observe(late_s)
