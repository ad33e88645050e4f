"""The catalogue of metrics: name, type, meaning. One registry a program, made by WorkerMetrics() and its like.

Names follow Prometheus: unit last, counters end in _total. No label can grow without bound: partitions, outcomes,
routes (templates, never paths), statuses.
"""

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
_PROVIDER_S = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_SNAPSHOT_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
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
LATENESS = Metric(
    "turnstile_loop_lateness_seconds",
    "histogram",
    "Pauses of the event loop: how late a tick of 25 ms came",
    (),
    _LATE_S,
)
COLLECTION = Metric("turnstile_collection_seconds", "histogram", "Time of a garbage collection", (), _LATE_S)

SNAPSHOT_TAKEN = Metric(
    "turnstile_snapshot_taken_timestamp_seconds", "gauge", "When the last snapshot was taken", ("partition",)
)
SNAPSHOT_OFFSET = Metric("turnstile_snapshot_ledger_offset", "gauge", "What it goes up to", ("partition",))
SNAPSHOT_TAIL = Metric(
    "turnstile_snapshot_tail_decisions", "gauge", "Decisions behind it, which a start folds", ("partition",)
)
SNAPSHOTS = Metric("turnstile_snapshots_total", "counter", "Snapshots begun here: taken, left", ("result",))
SNAPSHOT_TIME = Metric("turnstile_snapshot_seconds", "histogram", "Time to take a snapshot", (), _SNAPSHOT_S)
SNAPSHOT_LOAD = Metric("turnstile_snapshot_load_seconds", "histogram", "Time to load one", (), _SNAPSHOT_S)
SNAPSHOT_BAD = Metric("turnstile_snapshots_discarded_total", "counter", "Torn, stale or foreign ones thrown away")

REQUESTS = Metric("turnstile_http_requests_total", "counter", "Requests answered", ("route", "status"))
LATENCY = Metric("turnstile_http_request_seconds", "histogram", "Time to the answer", ("route",), _LATENCY_S)
QUEUE = Metric("turnstile_queue_commands", "gauge", "Commands that wait to be appended", ("partition",))
UNDECIDED = Metric("turnstile_undecided_commands", "gauge", "Own commands that are not decided yet", ("partition",))
WAIT = Metric("turnstile_decision_wait_seconds", "gauge", "What a decision is expected to take", ("partition",))
SHED = Metric(
    "turnstile_shed_requests_total", "counter",
    "503 in place of an append: behind, queue-full, broker-away, not-ready", ("reason",),
)  # fmt: skip
APPENDED = Metric("turnstile_appended_commands_total", "counter", "Commands acked by Kafka")
APPEND_BATCH = Metric("turnstile_appended_batch_commands", "histogram", "Commands in an acked record", (), _BATCH)
APPEND_FAILED = Metric("turnstile_append_failures_total", "counter", "Batches not acked in time, or refused")
WAITING = Metric("turnstile_waiting_requests", "gauge", "Requests that wait for a decision (Prefer: wait)")
STREAMS = Metric("turnstile_open_streams", "gauge", "Streams of order events that clients have open")
TAIL = Metric("turnstile_tail_orders", "gauge", "Orders whose last event the system of record does not have yet")
WEBHOOKS = Metric("turnstile_webhooks_total", "counter", "Signed webhooks: appended, duplicate, ignored", ("result",))

CHUNK_RECORDS = Metric("turnstile_agent_records_total", "counter", "Records that this agent has handled", ("topic",))
CHUNK_TIME = Metric("turnstile_agent_chunk_seconds", "histogram", "Time to handle a chunk", ("topic",), _LATENCY_S)
CHUNK_LAG = Metric(
    "turnstile_agent_lag_records", "gauge", "Records that are not handled yet, of assigned partitions",
    ("topic", "partition"),
)  # fmt: skip
COMMANDS_WRITTEN = Metric("turnstile_agent_commands_total", "counter", "Commands that this agent appended", ("topic",))
PAY_JOBS = Metric("turnstile_payment_requests", "gauge", "Requests of orders in hand")
PAY_QUEUE = Metric("turnstile_payment_queue_calls", "gauge", "Calls that wait for the rate limit or the breaker")
PAY_IN_FLIGHT = Metric("turnstile_payment_in_flight_calls", "gauge", "Calls that the provider has not answered yet")
PAY_CIRCUIT = Metric("turnstile_payment_circuit", "gauge", "Circuit breaker: 0 closed, 1 half-open, 2 open")
PAY_STUCK = Metric("turnstile_payment_stuck_requests", "gauge", "Requests in hand past their retries", ("kind",))
PAY_LET_GO = Metric("turnstile_payment_let_go_total", "counter", "Requests for which there was no room")
PAY_OUTCOMES = Metric(
    "turnstile_payment_outcomes_total",
    "counter",
    "Requests carried out; outcome none: nothing told",
    ("kind", "outcome"),
)
PAY_CALLS = Metric("turnstile_payment_calls_total", "counter", "Calls to the provider by what came", ("call", "reply"))
PAY_CALL_TIME = Metric(
    "turnstile_payment_call_seconds", "histogram", "Time to the provider's answer", ("call",), _PROVIDER_S
)
SQL_EVENTS = Metric(
    "turnstile_sql_events_total", "counter", "Order events: fresh, or repeated and skipped", ("result",)
)
SQL_AWAY = Metric("turnstile_sql_away", "gauge", "1 while the system of record does not answer")
MAILS = Metric("turnstile_mails_total", "counter", "Mails: sent, failed, deferred, without an address", ("result",))

PROCESS = (LATENESS, COLLECTION)
WORKER = (
    DECISIONS, REPEATS, RECORDS, BATCH, LAG, ROLE, EPOCH, UNPUBLISHED, CLAIMS, TAKEOVERS, FENCES, YIELDS, STALE,
    DUPLICATES, ALARMS, REPUBLISHED, DEAD_LETTERS,
)  # fmt: skip
SNAPSHOT = (
    SNAPSHOT_TAKEN, SNAPSHOT_OFFSET, SNAPSHOT_TAIL, SNAPSHOTS, SNAPSHOT_TIME, SNAPSHOT_LOAD, SNAPSHOT_BAD,
)  # fmt: skip
GATEWAY = (
    REQUESTS, LATENCY, QUEUE, UNDECIDED, WAIT, SHED, APPENDED, APPEND_BATCH, APPEND_FAILED, WAITING, STREAMS, TAIL,
    WEBHOOKS, ALARMS,
)  # fmt: skip
PAYMENT = (
    PAY_JOBS, PAY_QUEUE, PAY_IN_FLIGHT, PAY_CIRCUIT, PAY_STUCK, PAY_LET_GO, PAY_OUTCOMES, PAY_CALLS, PAY_CALL_TIME,
)  # fmt: skip
AGENT = (CHUNK_RECORDS, CHUNK_TIME, CHUNK_LAG, COMMANDS_WRITTEN, ALARMS, DEAD_LETTERS)
CONFIRMATION = (SQL_EVENTS, SQL_AWAY, MAILS)
_LABEL_OF = {int(outcome): outcome.label for outcome in Outcome}


class Metrics:
    """A program's registry, with the process's own figures (memory, CPU, descriptors); or more in a given one."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series a counter, for OpenMetrics only
        self.registry = registry or CollectorRegistry()
        if registry is None:
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


class ProcessMetrics(Metrics):
    """What every process counts that stays up: its pauses. Resident size and CPU are ProcessCollector's."""

    def __init__(self) -> None:
        super().__init__()
        self._lateness = self._histogram(LATENESS)
        self._collection = self._histogram(COLLECTION)

    def late(self, seconds: float) -> None:
        """Observe how late the event loop's tick was."""
        self._lateness.observe(seconds)

    def collected(self, seconds: float) -> None:
        """Observe what a garbage collection took."""
        self._collection.observe(seconds)


class WorkerMetrics(ProcessMetrics):
    """What an owner of partitions counts. Attributes without labels are used as they are: `metrics.fences.inc()`."""

    def __init__(self) -> None:
        super().__init__()
        self._decisions = self._counter(DECISIONS)
        self._of_outcomes: dict[int, Counter] = {}
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

    def decided(self, outcomes: bytes) -> None:
        """Count one accepted record of this owner; `outcomes` as in Decided, with REPEATED flags."""
        self._records.inc()
        self._batch.observe(len(outcomes))
        for code in set(outcomes):
            number = outcomes.count(code)
            if code & REPEATED:
                self._repeats.inc(number)
            outcome = code & ~REPEATED
            counter = self._of_outcomes.get(outcome)
            if counter is None:  # finding a series by its label costs more than counting in it
                counter = self._of_outcomes[outcome] = self._decisions.labels(_LABEL_OF.get(outcome, str(outcome)))
            counter.inc(number)

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
        """Count an alarm by the label of its log action: ledger.divergent, decide.fault, fold.failed, ..."""
        self._alarms.labels(alarm).inc()


class AgentMetrics(ProcessMetrics):
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

    def unassigned(self) -> None:
        """Partitions went to others: what waits in them is theirs to tell."""
        self._lag.clear()

    def wrote(self, topic: str, commands: int) -> None:
        """Count acked commands."""
        self._commands.labels(topic).inc(commands)

    def alarm(self, alarm: str) -> None:
        """Count an alarm by the label of its log action."""
        self._alarms.labels(alarm).inc()


class ConfirmationMetrics(AgentMetrics):
    """What the confirmation agent counts besides."""

    def __init__(self) -> None:
        super().__init__()
        self._events = self._counter(SQL_EVENTS)
        self.sql_away = self._gauge(SQL_AWAY)
        self._mails = self._counter(MAILS)

    def applied(self, *, fresh: int, repeated: int) -> None:
        """Count events of one transaction."""
        self._events.labels("fresh").inc(fresh)
        self._events.labels("repeated").inc(repeated)

    def mailed(self, result: str, count: int = 1) -> None:
        """Count what became of mails: sent, failed, deferred, without-address."""
        self._mails.labels(result).inc(count)


class PaymentMetrics(Metrics):
    """What an agent counts that calls the payment provider, in the registry of its AgentMetrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.jobs = self._gauge(PAY_JOBS)
        self.queue = self._gauge(PAY_QUEUE)
        self.in_flight = self._gauge(PAY_IN_FLIGHT)
        self.circuit = self._gauge(PAY_CIRCUIT)
        self.let_go = self._counter(PAY_LET_GO)
        self._stuck = self._gauge(PAY_STUCK)
        self._outcomes = self._counter(PAY_OUTCOMES)
        self._calls = self._counter(PAY_CALLS)
        self._time = self._histogram(PAY_CALL_TIME)

    def stuck(self, kind: str, requests: int) -> None:
        """Set how many requests of a kind are still open after all their retries."""
        self._stuck.labels(kind).set(requests)

    def came_to(self, kind: str, outcome: str) -> None:
        """Count a request that is at its end."""
        self._outcomes.labels(kind, outcome).inc()

    def called(self, call: str, reply: str, seconds: float) -> None:
        """Count a call. Both are names of domain/provider.py."""
        self._calls.labels(call, reply).inc()
        self._time.labels(call).observe(seconds)


class GatewayMetrics(ProcessMetrics):
    """What a gateway counts."""

    def __init__(self) -> None:
        super().__init__()
        self._requests = self._counter(REQUESTS)
        self._latency = self._histogram(LATENCY)
        self._queue = self._gauge(QUEUE)
        self._undecided = self._gauge(UNDECIDED)
        self._wait = self._gauge(WAIT)
        self._shed = self._counter(SHED)
        self._appended = self._counter(APPENDED)
        self._append_batch = self._histogram(APPEND_BATCH)
        self.append_failures = self._counter(APPEND_FAILED)
        self.waiting = 0
        """Requests that wait for a decision."""
        self._gauge(WAITING).set_function(lambda: self.waiting)
        self.streams = self._gauge(STREAMS)
        self.tail = self._gauge(TAIL)
        self._alarms = self._counter(ALARMS)
        self._webhooks = self._counter(WEBHOOKS)
        self._of_answers: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request. `route` is the route's template (`/v1/orders/{id}`), "unmatched" where none matched."""
        of_answers = self._of_answers.get((route, status))
        if of_answers is None:  # finding a series by its labels costs more than counting in it
            of_answers = (self._requests.labels(route, str(status)), self._latency.labels(route))
            self._of_answers[route, status] = of_answers
        requests, latency = of_answers
        requests.inc()
        latency.observe(seconds)

    def alarm(self, alarm: str) -> None:
        """Count an alarm by the label of its log action."""
        self._alarms.labels(alarm).inc()

    def webhook(self, result: str) -> None:
        """Count a webhook whose signature is good: appended, duplicate, or ignored (no order of this log)."""
        self._webhooks.labels(result).inc()

    def queued(self, partition: int, commands: int) -> None:
        """Set the length of a partition's queue."""
        self._queue.labels(str(partition)).set(commands)

    def behind(self, partition: int, commands: int, wait_s: float) -> None:
        """Set how many own commands are not decided yet, and how long one more would wait."""
        self._undecided.labels(str(partition)).set(commands)
        self._wait.labels(str(partition)).set(wait_s)

    def shed(self, reason: str) -> None:
        """Count a request that was turned away, so that nothing was appended."""
        self._shed.labels(reason).inc()

    def appended(self, commands: int) -> None:
        """Count an acked batch."""
        self._appended.inc(commands)
        self._append_batch.observe(commands)


def catalogue() -> Sequence[Metric]:
    """Every metric of every program, in the order of the reference."""
    return tuple(dict.fromkeys((*PROCESS, *WORKER, *SNAPSHOT, *AGENT, *PAYMENT, *CONFIRMATION, *GATEWAY)))
