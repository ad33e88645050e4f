"""What an owner role counts about its snapshots."""

from prometheus_client import CollectorRegistry

from streams import metrics
from streams.metrics import Metrics


class SnapshotMetrics(Metrics):
    """In the registry of its WorkerMetrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._taken_at = self._gauge(metrics.SNAPSHOT_TAKEN)
        self._offset = self._gauge(metrics.SNAPSHOT_OFFSET)
        self._tail = self._gauge(metrics.SNAPSHOT_TAIL)
        self._begun = self._counter(metrics.SNAPSHOTS)
        self._time = self._histogram(metrics.SNAPSHOT_TIME)
        self.load = self._histogram(metrics.SNAPSHOT_LOAD)
        self.discarded = self._counter(metrics.SNAPSHOT_BAD)

    def newest(self, partition: int, offset: int, taken_ms: int, tail: int) -> None:
        """Set where the last snapshot is (-1, 0: there is none), and how many decisions are not in it."""
        self._offset.labels(str(partition)).set(offset)
        self._taken_at.labels(str(partition)).set(taken_ms / 1000)
        self._tail.labels(str(partition)).set(tail)

    def taken(self, seconds: float) -> None:
        """Count one that was taken."""
        self._begun.labels("taken").inc()
        self._time.observe(seconds)

    def left(self) -> None:
        """Count one that was not finished, or not begun: a takeover, a broken process, another who writes."""
        self._begun.labels("left").inc()
