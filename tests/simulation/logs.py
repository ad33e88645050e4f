"""An in-memory partition of a topic, with the broker's clock."""

from collections.abc import Callable

from tests.simulation.scheduler import Scheduler

START_MS = 1_750_000_000_000
"""Log time at simulated time 0."""


class Log:
    """Dense offsets, LogAppendTime. `skew_ms`: the broker's clock against the simulated one, changed by a fault."""

    __slots__ = ("_scheduler", "name", "partition", "records", "skew_ms", "start", "topic", "watchers")

    def __init__(self, scheduler: Scheduler, topic: str, partition: int) -> None:
        self._scheduler = scheduler
        self.topic = topic
        self.name = f"{topic}.{partition}"
        self.partition = partition
        self.records: list[tuple[int, bytes]] = []
        self.skew_ms = 0
        self.start = 0
        """The first offset that retention has left."""
        self.watchers: list[Callable[[int], None]] = []

    def append(self, value: bytes) -> int:
        """The record's offset. Whoever watches is told."""
        offset = len(self.records)
        self.records.append((START_MS + self._scheduler.now_ms + self.skew_ms, value))
        for watch in self.watchers:
            watch(offset)
        return offset

    @property
    def end(self) -> int:
        return len(self.records)
