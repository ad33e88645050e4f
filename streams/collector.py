"""When a process of ours collects garbage: on a timer, never in the middle of something.

Python collects when enough objects are new, wherever that happens to be, and walks all that lives every so often: with
two million rows as objects that took 63 % of an owner's CPU, in pauses of up to 600 ms, and half of a gateway's CPU. So
rows are bytes, and what a gateway keeps long are structs without the collector's header: a collection sees neither.
What a process makes at its start lives as long as it does and is frozen, out of sight as well. What is left is what is
under way, and looking at that costs milliseconds. Reference counts free nearly everything; cycles come from exceptions,
tasks and connections, and nearly all die young. So: what is new each second, all of it each minute. At
17,000 decisions a second that took an owner and a gateway 0.7 ms on average and never over 25.

What an owner has in great numbers all the same is state: a SKU is seven objects, and to look at 100,000 SKUs takes
350 ms each time, at 150,000 longer than the silence after which a standby takes over. So where its collection would
meet too many, all are frozen instead. What is under way at that moment is never freed if it ends as a cycle: that is
little, and as many SKUs do not come often. In a gateway it would be the connections of a crowd, so there nothing is
frozen later on.
"""

import asyncio
import gc
import sys
from collections.abc import Callable
from time import perf_counter

EVERY_S = 1.0
ALL_EVERY = 60
"""Every so many times, everything that is not frozen."""
TOO_MANY = 50_000
"""For an owner: 25 ms."""
_NEW = 1
_ALL = 2


def begin() -> None:
    """Once everything that lives as long as the process is made: no collection from here on but those of `run`."""
    gc.disable()
    gc.collect()
    gc.freeze()


async def run(observe: Callable[[float], None], too_many: int = sys.maxsize) -> None:
    """Collect until cancelled, or freeze where a collection would meet `too_many`.

    `observe` is told how many seconds each took, in which nothing else was done.
    """
    times = grown = 0
    while True:
        await asyncio.sleep(EVERY_S)
        times += 1
        new = gc.get_count()[0]  # made and not freed since the last time
        grown += new
        is_full = times == ALL_EVERY or grown > too_many
        began_s = perf_counter()
        if not is_full:
            gc.collect(_NEW)
        elif too_many < sys.maxsize and new + len(gc.get_objects(_ALL)) > too_many:
            gc.freeze()
        else:
            gc.collect(_ALL)
        observe(perf_counter() - began_s)
        if is_full:
            times = grown = 0
