"""Work in slices of a few milliseconds, so that nothing else in this process goes silent meanwhile."""

import asyncio
from time import perf_counter

SLICE_S = 0.003
"""The clock of W9 comes every 25 ms and must not be 50 ms late: with 8 partitions each 3 ms a turn stays below."""


class Slices:
    """Call `pause` between pieces of work: it gives way when a slice is used up, and says whether it did."""

    def __init__(self) -> None:
        self._began = perf_counter()

    async def pause(self, *, share: bool = False) -> bool:
        """Give way to what is ready; with `share`, sleep as long as was worked, so as to use half a core at most."""
        worked = perf_counter() - self._began
        if worked < SLICE_S:
            return False
        await asyncio.sleep(worked if share else 0)
        self._began = perf_counter()
        return True
