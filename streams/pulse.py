"""The pulse of an event loop: a tick every 25 ms and how late it came. What kept the tick waiting kept everything."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

from streams.vigil import CLOCK_MS


async def ticks() -> AsyncIterator[float]:
    """For ever: how many seconds late this tick is."""
    due_s = monotonic()
    while True:
        due_s = max(due_s + CLOCK_MS / 1000, monotonic())
        await asyncio.sleep(due_s - monotonic())
        yield max(0.0, monotonic() - due_s)
