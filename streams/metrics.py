"""The catalogue of metrics: name, type, meaning. One registry a program, made by WorkerMetrics() and its like.

Names follow Prometheus: unit last, counters end in _total. No label can grow without bound: partitions, outcomes,
routes (templates, never paths), statuses.
"""

from collections import Counter as Count
from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from domain.outcomes import REPEATED, Outcome
from streams.effects import Role

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BATCH = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_LATENCY_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_LATE_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metric(NamedTuple):
    """One row of the catalogue. `kind`: counter, gauge or histogram (with its buckets' upper bounds)."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


DECISIONS = Metric("turnstile_decisions_total", "counter", "Commands decided by this owner", ("outcome",))
REPEATS = Metric("turnstile_repeats_total", "counter", "Commands that were the first answer again")
RECORDS = Metric("turnstile_ledger_records_total", "counter", "DECIDED records appended and accepted")
BATCH = Metric("turnstile_batch_commands", "histogram", "Commands in a decided record", (), _BATCH)
LAG = Metric(
    "turnstile_lag_records", "gauge", "Commands' end - last accepted src - 1, of followed partitions", ("partition",)
)
ROLE = Metric("turnstile_partition_role", "gauge", "1 for the role that this worker has", ("partition", "role"))
EPOCH = Metric("turnstile_partition_epoch", "gauge", "Epoch of the last accepted CLAIM", ("partition",))
UNPUBLISHED = Metric(
    "turnstile_unpublished_records", "gauge", "Accepted records of this owner whose facts are not acked", ("partition",)
)
CLAIMS = Metric("turnstile_claims_total", "counter", "CLAIMs appended, by what came of them", ("result",))
TAKEOVERS = Metric("turnstile_takeovers_total", "counter", "Partitions taken from a silent owner (W9)")
FENCES = Metric("turnstile_fences_total", "counter", "Partitions lost to another's CLAIM")
YIELDS = Metric("turnstile_yields_total", "counter", "Partitions handed over on purpose")
STALE = Metric("turnstile_stale_records_total", "counter", "Ledger records dropped as stale (R4)")
DUPLICATES = Metric("turnstile_duplicate_records_total", "counter", "Ledger records dropped as duplicates (R2)")
ALARMS = Metric("turnstile_alarms_total", "counter", "What somebody must look at", ("alarm",))
REPUBLISHED = Metric("turnstile_republished_facts_total", "counter", "Facts published again by a new owner")
DEAD_LETTERS = Metric("turnstile_dead_letters_total", "counter", "Records written to dead.letters")
LATENESS = Metric("turnstile_loop_lateness_seconds", "histogram", "How late the 25 ms tick of W9 came", (), _LATE_S)

REQUESTS = Metric("turnstile_http_requests_total", "counter", "Requests answered", ("route", "status"))
LATENCY = Metric("turnstile_http_request_seconds", "histogram", "Time to the answer", ("route",), _LATENCY_S)
QUEUE = Metric("turnstile_queue_commands", "gauge", "Commands that wait to be appended", ("partition",))
APPENDED = Metric("turnstile_appended_commands_total", "counter", "Commands acked by Kafka")
APPEND_BATCH = Metric("turnstile_appended_batch_commands", "histogram", "Commands in an acked record", (), _BATCH)
APPEND_FAILED = Metric("turnstile_append_failures_total", "counter", "Batches not acked in time, or refused")
WAITING = Metric("turnstile_waiting_requests", "gauge", "Requests that wait for a decision (Prefer: wait)")

CHUNK_RECORDS = Metric("turnstile_agent_records_total", "counter", "Records that this agent has handled", ("topic",))
CHUNK_TIME = Metric("turnstile_agent_chunk_seconds", "histogram", "Time to handle a chunk", ("topic",), _LATENCY_S)
CHUNK_LAG = Metric(
    "turnstile_agent_lag_records", "gauge", "Records that are not handled yet, of assigned partitions",
    ("topic", "partition"),
)  # fmt: skip
COMMANDS_WRITTEN = Metric("turnstile_agent_commands_total", "counter", "Commands that this agent appended", ("topic",))

WORKER = (
    DECISIONS, REPEATS, RECORDS, BATCH, LAG, ROLE, EPOCH, UNPUBLISHED, CLAIMS, TAKEOVERS, FENCES, YIELDS, STALE,
    DUPLICATES, ALARMS, REPUBLISHED, DEAD_LETTERS, LATENESS,
)  # fmt: skip
GATEWAY = (REQUESTS, LATENCY, QUEUE, APPENDED, APPEND_BATCH, APPEND_FAILED, WAITING)
AGENT = (CHUNK_RECORDS, CHUNK_TIME, CHUNK_LAG, COMMANDS_WRITTEN, ALARMS, DEAD_LETTERS)
_LABEL_OF = {int(outcome): outcome.label for outcome in Outcome}


class Metrics:
    """A program's registry, with the process's own figures (memory, CPU, descriptors)."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series a counter, for OpenMetrics only
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

    def render(self) -> bytes:
        """Prometheus' text format; serve it as CONTENT_TYPE."""
        return generate_latest(self.registry)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.meaning, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(metric.name, metric.meaning, metric.labels, registry=self.registry, buckets=metric.buckets)


class WorkerMetrics(Metrics):
    """What an owner of partitions counts. Attributes without labels are used as they are: `metrics.fences.inc()`."""

    def __init__(self) -> None:
        super().__init__()
        self._decisions = self._counter(DECISIONS)
        self._repeats = self._counter(REPEATS)
        self._records = self._counter(RECORDS)
        self._batch = self._histogram(BATCH)
        self._lag = self._gauge(LAG)
        self._role = self._gauge(ROLE)
        self._epoch = self._gauge(EPOCH)
        self._unpublished = self._gauge(UNPUBLISHED)
        self._claims = self._counter(CLAIMS)
        self._alarms = self._counter(ALARMS)
        self.takeovers = self._counter(TAKEOVERS)
        self.fences = self._counter(FENCES)
        self.yields = self._counter(YIELDS)
        self.stale = self._counter(STALE)
        self.duplicates = self._counter(DUPLICATES)
        self.republished = self._counter(REPUBLISHED)
        self.dead_letters = self._counter(DEAD_LETTERS)
        self._lateness = self._histogram(LATENESS)

    def decided(self, outcomes: bytes) -> None:
        """Count one accepted record of this owner; `outcomes` as in Decided, with REPEATED flags."""
        self._records.inc()
        self._batch.observe(len(outcomes))
        for code, number in Count(outcomes).items():
            if code & REPEATED:
                self._repeats.inc(number)
            outcome = code & ~REPEATED
            self._decisions.labels(_LABEL_OF.get(outcome, str(outcome))).inc(number)

    def lag(self, partition: int, records: int) -> None:
        """Set how many command records wait to be decided."""
        self._lag.labels(str(partition)).set(records)

    def role(self, partition: int, role: Role) -> None:
        """Set this worker's role for a partition."""
        for one in Role:
            self._role.labels(str(partition), one.value).set(one is role)

    def epoch(self, partition: int, epoch: int) -> None:
        """Set the epoch of the last accepted CLAIM."""
        self._epoch.labels(str(partition)).set(epoch)

    def unpublished(self, partition: int, records: int) -> None:
        """Set how many accepted records of this owner wait for the acks of their facts (W7 stops at 4,096)."""
        self._unpublished.labels(str(partition)).set(records)

    def claims(self, *, won: int, lost: int) -> None:
        """Count CLAIMs of this worker: accepted, or another was first."""
        self._claims.labels("won").inc(won)
        self._claims.labels("lost").inc(lost)

    def alarm(self, alarm: str) -> None:
        """Count an alarm by the label of its log action: divergence, broken, fault, parked, ..."""
        self._alarms.labels(alarm).inc()

    def late(self, seconds: float) -> None:
        """Observe how late the event loop's tick was."""
        self._lateness.observe(seconds)


class AgentMetrics(Metrics):
    """What a stateless agent counts, whatever its role."""

    def __init__(self) -> None:
        super().__init__()
        self._records = self._counter(CHUNK_RECORDS)
        self._time = self._histogram(CHUNK_TIME)
        self._lag = self._gauge(CHUNK_LAG)
        self._commands = self._counter(COMMANDS_WRITTEN)
        self._alarms = self._counter(ALARMS)
        self.dead_letters = self._counter(DEAD_LETTERS)

    def took(self, topic: str, records: int, seconds: float) -> None:
        """Count a handled chunk."""
        self._records.labels(topic).inc(records)
        self._time.labels(topic).observe(seconds)

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Set how many records of an assigned partition wait."""
        self._lag.labels(topic, str(partition)).set(records)

    def wrote(self, topic: str, commands: int) -> None:
        """Count acked commands."""
        self._commands.labels(topic).inc(commands)

    def alarm(self, alarm: str) -> None:
        """Count an alarm by the label of its log action."""
        self._alarms.labels(alarm).inc()


class GatewayMetrics(Metrics):
    """What a gateway counts."""

    def __init__(self) -> None:
        super().__init__()
        self._requests = self._counter(REQUESTS)
        self._latency = self._histogram(LATENCY)
        self._queue = self._gauge(QUEUE)
        self._appended = self._counter(APPENDED)
        self._append_batch = self._histogram(APPEND_BATCH)
        self.append_failures = self._counter(APPEND_FAILED)
        self.waiting = self._gauge(WAITING)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request. `route` is the route's template (`/v1/orders/{id}`), "unmatched" where none matched."""
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def queued(self, partition: int, commands: int) -> None:
        """Set the length of a partition's queue."""
        self._queue.labels(str(partition)).set(commands)

    def appended(self, commands: int) -> None:
        """Count an acked batch."""
        self._appended.inc(commands)
        self._append_batch.observe(commands)


def catalogue() -> Sequence[Metric]:
    """Every metric of every program, in the order of the reference."""
    return (*WORKER, *(metric for metric in AGENT if metric not in WORKER), *GATEWAY)
