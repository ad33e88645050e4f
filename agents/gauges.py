"""Copies what the partition machines know into the metrics, once a second."""

from collections import Counter
from collections.abc import Iterable

from agents.partition import Partition
from streams.machine import PartitionMachine
from streams.metrics import WorkerMetrics


class Gauges:
    """Machines count plain events; Prometheus' counters get the differences."""

    def __init__(self, metrics: WorkerMetrics) -> None:
        self._metrics = metrics
        self._seen: dict[int, Counter[str]] = {}
        self._lost: dict[int, int] = {}

    def update(self, partitions: Iterable[Partition]) -> None:
        """Set the gauges, raise the counters."""
        metrics = self._metrics
        for partition in partitions:
            machine, number = partition.machine, partition.number
            metrics.epoch(number, machine.accepted.epoch)
            metrics.lag(number, max(0, machine.commands_end - machine.accepted.src - 1))
            metrics.unpublished(number, len(machine.outbox) if partition.owned else 0)
            seen = self._seen.get(number, Counter())
            new = machine.counts - seen
            self._seen[number] = Counter(machine.counts)
            metrics.fences.inc(new["fenced"])
            metrics.yields.inc(new["yielded"])
            metrics.stale.inc(new["stale"])
            metrics.duplicates.inc(new["duplicate"])
            metrics.republished.inc(new["republished"])
            metrics.claims(won=new["owned"], lost=self._newly_lost(machine, number))

    def _newly_lost(self, machine: PartitionMachine, number: int) -> int:
        """Own CLAIMs that are neither accepted nor on their way."""
        lost = machine.counts["claimed"] - machine.counts["owned"] - (machine.claiming is not None)
        new = max(0, lost - self._lost.get(number, 0))
        self._lost[number] = lost
        return new

    def forget(self, number: int) -> None:
        """The partition is not followed any more; another machine counts from 0."""
        self._seen.pop(number, None)
        self._lost.pop(number, None)
