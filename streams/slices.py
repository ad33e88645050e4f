"""Work in slices of a few milliseconds, so that nothing else in this process goes silent meanwhile."""

import asyncio
from time import perf_counter

SLICE_S = 0.003
"""The clock of W9 comes every 25 ms and must not be 50 ms late: with 8 partitions each 3 ms a turn stays below."""
PROMPT_S = 0.0005
"""A prompt slice: of work that sends something and has more of the same to do. Where what was sent waits for the work
behind it, batches begin to travel together, from gateway to worker and back, and each works while the others wait."""
PROMPT_TURNS = 8
"""Turns of the loop after a prompt slice. A full batch needs four from its last command to the socket, one the batcher
and three aiokafka; an ack needs seven from there to the socket of the fact that it lets go."""


class Slices:
    """Call `pause` between pieces of work: it gives way when a slice is used up, and says whether it did."""

    def __init__(self) -> None:
        self._began = perf_counter()

    async def pause(self, *, share: bool = False, prompt: bool = False) -> bool:
        """Give way to what is ready, or if `prompt`, sooner and until what was just sent is on its way.

        With `share`, sleep as long as was worked, so as to use half a core at most.
        """
        worked = perf_counter() - self._began
        if worked < (PROMPT_S if prompt else SLICE_S):
            return False
        if share:
            await asyncio.sleep(worked)
        else:
            for _ in range(PROMPT_TURNS if prompt else 1):
                await asyncio.sleep(0)
        self._began = perf_counter()
        return True
