"""Open streams of events: how many a customer may have, and the end of all of them when the gateway stops."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.problems import Problem, ProblemError
from streams.metrics import GatewayMetrics

OF_CUSTOMER_MAX = 4
STREAMS_MAX = 5_000
"""An open stream costs a connection, a task and its buffers: about 40 KiB, so 200 MiB."""


class Streams:
    """Of one gateway. `stopping` is set when it stops: every stream ends then, and clients go to another gateway."""

    def __init__(self, metrics: GatewayMetrics) -> None:
        self.stopping = asyncio.Event()
        self._metrics = metrics
        self._open: Counter[bytes] = Counter()

    def check(self, customer: bytes) -> None:
        """ProblemError (429, 503) if this customer, or the gateway, has too many streams open."""
        if self._open[customer] >= OF_CUSTOMER_MAX:
            raise ProblemError(Problem.TOO_MANY, f"{OF_CUSTOMER_MAX} streams are open already: close one")
        if self._open.total() >= STREAMS_MAX:
            raise ProblemError(Problem.UNAVAILABLE, "too many streams are open at this gateway")

    @contextmanager
    def opened(self, customer: bytes) -> Iterator[None]:
        """Count a stream as open for as long as the block lasts."""
        self._open[customer] += 1
        try:
            with self._metrics.streams.track_inprogress():
                yield
        finally:
            self._open[customer] -= 1
            if not self._open[customer]:
                del self._open[customer]
