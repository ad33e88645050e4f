"""Ends a process whose event loop is stuck in one callback. A thread, since nothing of the loop's would be asked."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from streams import pulse

LOOP_S = 60
"""Seconds that the event loop may be busy with one thing."""


class LoopGuard(threading.Thread):
    """Ends the process when the event loop is stuck in one callback: a decider in an endless loop, say.

    Counts its own naps, so that a process which was stopped (SIGSTOP) and goes on is not judged by the time between.
    """

    def __init__(self, end: Callable[[str], None], *, naps_max: int = LOOP_S, nap_s: float = 1.0) -> None:
        super().__init__(name="loop-guard", daemon=True)
        self._end = end
        self._naps_max = naps_max
        self.nap_s = nap_s
        self._beat = 0
        self._over = threading.Event()

    def beat(self) -> None:
        """The loop is alive."""
        self._beat += 1

    def stop(self) -> None:
        """Watch no more."""
        self._over.set()

    def run(self) -> None:
        """Count naps without a beat."""
        naps, seen = 0, self._beat
        while not self._over.is_set():
            time.sleep(self.nap_s)
            naps, seen = (naps + 1, seen) if seen == self._beat else (0, self._beat)
            if naps >= self._naps_max:
                self._end(f"the event loop has been busy with one thing for {naps * self.nap_s:.0f} s")
                return


@asynccontextmanager
async def guarded(guard: LoopGuard) -> AsyncIterator[None]:
    """Let it watch the loop that this runs in: a beat a nap."""
    beating = asyncio.create_task(pulse.run(lambda _: guard.beat(), guard.nap_s))
    guard.start()
    try:
        yield
    finally:
        guard.stop()
        beating.cancel()
