from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from domain.outcomes import REPEATED, Outcome
from streams import metrics
from streams.effects import Role
from streams.metrics import (
    GATEWAY,
    PAYMENT,
    PROCESS,
    SNAPSHOT,
    WORKER,
    GatewayMetrics,
    Metric,
    PaymentMetrics,
    WorkerMetrics,
    catalogue,
)
from streams.snapshot_metrics import SnapshotMetrics


def value(program, name, **labels):
    return program.registry.get_sample_value(name, {key: str(item) for key, item in labels.items()})


def test_a_decided_record_counts_its_outcomes_and_its_repeats():
    worker = WorkerMetrics()
    worker.decided(bytes([Outcome.GRANTED, Outcome.SOLD_OUT, Outcome.SOLD_OUT, Outcome.SOLD_OUT | REPEATED]))
    assert value(worker, "turnstile_decisions_total", outcome="granted") == 1
    assert value(worker, "turnstile_decisions_total", outcome="sold-out") == 3
    assert value(worker, "turnstile_repeats_total") == 1
    assert value(worker, "turnstile_ledger_records_total") == 1
    assert value(worker, "turnstile_batch_commands_sum") == 4


def test_a_partition_has_one_role():
    worker = WorkerMetrics()
    worker.role(3, Role.WARM)
    worker.role(3, Role.OWNER)
    roles = {role: value(worker, "turnstile_partition_role", partition=3, role=role.value) for role in Role}
    assert roles == dict.fromkeys(Role, 0) | {Role.OWNER: 1}


def test_two_programs_in_one_process_do_not_share_a_count():
    first, second = GatewayMetrics(), GatewayMetrics()
    first.answered("/v1/orders", 202, 0.004)
    first.appended(17)
    assert value(first, "turnstile_http_requests_total", route="/v1/orders", status=202) == 1
    assert value(first, "turnstile_appended_commands_total") == 17
    assert value(second, "turnstile_appended_commands_total") == 0


def test_a_program_tells_its_pauses_and_its_resident_size():
    worker = WorkerMetrics()
    worker.late(0.03)
    worker.collected(0.002)
    assert value(worker, "turnstile_loop_lateness_seconds_bucket", le="0.025") == 0
    assert value(worker, "turnstile_loop_lateness_seconds_bucket", le="0.05") == 1
    assert value(worker, "turnstile_collection_seconds_count") == 1
    assert value(worker, "process_resident_memory_bytes") > 1_000_000


def test_what_a_program_shows_is_what_its_catalogue_says():
    for program, rows in (
        (WorkerMetrics(), PROCESS + WORKER),
        (GatewayMetrics(), PROCESS + GATEWAY),
        (PaymentMetrics(CollectorRegistry()), PAYMENT),
        (SnapshotMetrics(CollectorRegistry()), SNAPSHOT),
    ):
        families = {
            family.name: (family.type, family.documentation)
            for family in text_string_to_metric_families(program.render().decode())
            if family.name.startswith("turnstile_")
        }
        assert families == {row.name.removesuffix("_total"): (row.kind, row.meaning) for row in rows}


def test_names_are_unique_and_every_row_of_the_module_is_in_the_catalogue():
    rows = [row for row in vars(metrics).values() if isinstance(row, Metric)]
    assert sorted(row.name for row in rows) == sorted(row.name for row in catalogue())
    assert len({row.name for row in rows}) == len(rows)
    assert all(row.name.endswith("_total") == (row.kind == "counter") for row in rows)
