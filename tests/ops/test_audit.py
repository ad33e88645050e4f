"""What the auditor says of honest logs: nothing, whatever happened; and the figures are right."""

import asyncio
import io
from contextlib import asynccontextmanager
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from domain.ids import Receipt, hold_id
from domain.outcomes import OF_ORDERS, Outcome
from domain.roles import Role
from domain.stock import Commit, Line, Release, ReserveAll
from ops.audit import limits
from ops.audit.log_source import LogSource
from ops.audit.partition import Options
from ops.audit.report import Answer, Moment
from ops.audit.source import MemorySource, SourceError, Stream
from ops.audit.table import print_report
from ops.audit.verify import audit
from ops.audit.violations import Kind, Violation
from streams.memory_log import MemoryLog
from streams.protocol import Tick
from streams.topics import CATALOGUE
from tests.ops.honest_log import PRINT, START_MS, HonestLog, ask, claim_value, customer, order, with_decided
from tests.ops.random_sale import RandomSale

LATE_MS = START_MS + 800_000
EVERYTHING = Options(keep=True, replay=True)


def green(log: HonestLog) -> None:
    report = audit(log.source(), options=EVERYTHING)
    assert report.violations == []


# --- honest logs ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=100)
@given(st.integers(0, 2**32), st.booleans())
def test_no_honest_log_has_a_violation(seed, calm):
    log = RandomSale(Random(seed), calm=calm).run(60)
    report = audit(log.source(), options=EVERYTHING)
    assert report.violations == []
    assert report.undecided == len(log.commands) - 1 - log.accepted.src


@pytest.mark.slow
def test_a_random_sale_reaches_every_outcome_and_every_fate():
    """Without this the property above might hold for want of anything happening."""
    seen: set[Outcome] = set()
    fates = dict.fromkeys(("claims", "lost_claims", "stale", "duplicates", "rulings"), 0)
    repeats = 0
    for seed in range(120):
        report = audit(RandomSale(Random(seed), calm=seed % 2 == 0).run(60).source())
        seen |= set(report.outcomes)
        repeats += report.repeats
        for name in fates:
            fates[name] += getattr(report.partitions[0], name)
    alone = {Outcome.BUSY, Outcome.SIBLING_REFUSED}  # has tests of its own; only ever the answer of a line
    assert set(Outcome) - OF_ORDERS - seen == alone
    assert repeats
    assert all(fates.values()), fates


def test_more_due_holds_than_a_record_may_sweep_are_not_late():
    log = HonestLog()
    log.claim()
    log.open_sale(units=700, limit=2)
    for number in range(6):
        log.do(*(ask(number * 100 + at, not_after_ms=LATE_MS) for at in range(100)))
    log.do(Tick(), later_ms=61_000)
    green(log)
    log.do(Tick())
    log.do(Tick())
    green(log)


def test_a_request_for_many_gets_units_that_were_due_but_not_swept():
    log = HonestLog()
    log.claim()
    log.open_sale(units=500, limit=500)
    for number in range(5):
        log.do(*(ask(number * 100 + at) for at in range(100)))
    decided = log.do(ask(999, quantity=400, not_after_ms=LATE_MS), later_ms=61_000)
    assert list(decided.outcomes) == [Outcome.GRANTED]
    green(log)


def test_what_is_due_and_not_swept_binds_no_unit():
    """The auditor's undersell rule counts what is due: an owner that forgets to sweep before refusing is caught."""
    log = HonestLog()
    log.claim()
    log.open_sale(units=300, limit=300)
    for number in range(3):
        log.do(*(ask(number * 100 + at) for at in range(100)))
    log.state.rules_by_version = {1: log.state.rules._replace(sweep_max=0, pool_sweep_max=0)}
    decided = log.do(ask(999, not_after_ms=LATE_MS), later_ms=61_000)
    assert list(decided.outcomes) == [Outcome.BUSY]
    kinds = {violation.kind for violation in audit(log.source()).violations}
    assert kinds == {Kind.UNDERSELL, Kind.LATE_EXPIRY}


def test_busy_is_right_only_when_a_memory_is_full(monkeypatch):
    log = HonestLog()
    log.claim()
    log.open_sale(units=1)
    log.state.rules_by_version = {1: log.state.rules._replace(refusals_max=2, tombstones_per_customer=1)}
    log.do(*(ask(number) for number in range(6)))
    decided = log.do(*(Release(hold_id(order(number)), customer(50)) for number in range(50, 53)), role=Role.ORDER)
    assert list(decided.outcomes) == [Outcome.RELEASED, Outcome.BUSY, Outcome.BUSY]
    report = audit(log.source())
    assert report.counts == {Kind.OUTCOME: 5}
    assert report.outcomes[Outcome.BUSY] == 5
    monkeypatch.setattr("ops.audit.expected.REFUSALS_MAX", 2)
    monkeypatch.setattr("ops.audit.settled.TOMBSTONES_PER_CUSTOMER", 1)
    assert audit(log.source()).ok


def test_a_record_with_too_many_lines_is_busy():
    log = HonestLog()
    log.claim()
    lines = tuple(Line(at, f"s{at}", 1) for at in range(64))
    for line in lines:
        log.open_sale(line.sku, units=1)
    batch = [
        ReserveAll(order(number), customer(number), True, START_MS + 30_000, PRINT, lines)
        for number in range(limits.RECORD_LINES_MAX // len(lines) + 2)
    ]
    decided = log.do(*batch, role=Role.ORDER)
    assert set(decided.outcomes[:-2]) == {Outcome.GRANTED, Outcome.ALL_HELD}
    assert list(decided.outcomes[-2:]) == [Outcome.BUSY, Outcome.BUSY]
    green(log)


def test_rows_and_refusals_may_be_forgotten_after_their_time():
    log = HonestLog()
    log.claim()
    log.open_sale(units=1)
    log.do(ask(1), ask(2))
    for later_ms in (119_000, 40_000, 60_000, 700_000, 200_000, 4_000_000):
        log.do(
            ask(1, not_after_ms=log.now_ms + later_ms + 10_000),
            ask(2, not_after_ms=log.now_ms + later_ms + 10_000),
            Release(hold_id(order(3)), customer(3)),
            Commit(hold_id(order(1)), customer(1)),
            role=Role.ORDER,
            later_ms=later_ms,
        )
        green(log)


def test_an_idle_log_is_green():
    log = HonestLog()
    report = audit(log.source())
    assert report.ok
    assert report.partitions[0].src == 0
    assert report.undecided == 0


def test_what_a_partition_without_an_owner_was_asked_is_undecided():
    log = HonestLog()
    log.send(ask(1))
    assert audit(log.source()).undecided == 1


# --- figures ----------------------------------------------------------------------------------------------------------


def test_figures_and_answers_are_those_of_the_log():
    log = HonestLog()
    log.claim()
    log.open_sale(units=2)
    log.do(ask(1), ask(2), ask(3), ask(1))
    log.do(Commit(hold_id(order(1))), role=Role.ORDER)
    report = audit(log.source(), options=EVERYTHING)
    (pool,) = report.pools
    assert (pool.sku, pool.received, pool.available, pool.held, pool.sold, pool.granted) == ("shoe", 2, 0, 1, 1, 2)
    assert report.outcomes[Outcome.GRANTED] == 2
    assert report.outcomes[Outcome.ALL_HELD] == 1
    assert report.repeats == 1
    clk = log.commands[2].timestamp_ms
    assert report.decisions[hold_id(order(1))] == [
        Answer(Outcome.GRANTED, Receipt(0, 2, 0), "shoe", 1, 4_900, "EUR", clk + 60_000)
    ]
    assert report.decisions[hold_id(order(3))] == [Answer(Outcome.ALL_HELD, Receipt(0, 2, 2), "shoe", 1, 0, "", 0)]
    (head,) = report.partitions
    assert head.digest == log.accepted.digest.hex()
    assert (head.epoch, head.src, head.records, head.claims) == (1, 3, 3, 1)


def test_every_line_of_an_order_has_its_answer():
    log = HonestLog()
    log.claim()
    log.open_sale(units=1)
    log.open_sale("sock", units=0 + 1)
    lines = (Line(0, "shoe", 1), Line(1, "sock", 2))
    both = ReserveAll(order(1), customer(1), False, START_MS + 30_000, PRINT, lines)
    log.do(both, role=Role.ORDER)
    log.do(both, role=Role.ORDER)
    report = audit(log.source(), options=EVERYTHING)
    assert report.ok
    told = {hold[-1]: [answer.outcome for answer in answers] for hold, answers in report.decisions.items()}
    assert told == {0: [Outcome.SIBLING_REFUSED], 1: [Outcome.INSUFFICIENT]}


def test_the_longest_stall_is_the_time_that_a_command_waited_without_decisions():
    log = HonestLog()
    log.claim()
    log.open_sale()
    log.now_ms += 100_000  # idle: nobody waits
    log.do(ask(1))
    sent_ms = log.now_ms
    log.send(ask(2))
    log.now_ms += 900  # the owner is dead
    log.claim("w2")
    log.decide()
    report = audit(log.source(), options=EVERYTHING)
    (figures,) = report.partitions
    assert figures.stall_ms == log.now_ms - (sent_ms + 1)
    assert figures.stall_src == 3
    assert report.moments[0][-1] == Moment(3, log.now_ms, sent_ms + 1)


def test_trimmed_commands_leave_the_ledgers_own_proof():
    log = HonestLog()
    log.claim()
    log.open_sale(units=2, limit=1)
    log.do(ask(1), ask(2), ask(3))
    log.do(ask(4))
    kept = log.commands[3:]
    report = audit(log.source(commands=kept), options=EVERYTHING)
    assert report.ok
    assert report.partitions[0].unchecked == 2
    assert report.partitions[0].commands_start == 3
    broken = with_decided(log.ledger, 3, cmd_digest=bytes(16))
    assert audit(log.source(broken, commands=kept)).ok, "nothing to compare with"
    assert not audit(log.source(broken)).ok


def test_losing_claims_and_late_records_are_counted_not_blamed():
    log = HonestLog()
    log.claim("w1")
    log.open_sale()
    zombie = log.zombie()
    log.send(ask(1))
    log.send(ask(2))
    log.claim("w2")
    log.append(claim_value(2, b"somebody", "w3"))
    assert zombie.decide()  # before the new owner: stale
    log.decide()
    log.decide()
    assert zombie.decide()  # after it: a duplicate
    report = audit(log.source(), options=EVERYTHING)
    assert report.violations == []
    (figures,) = report.partitions
    assert (figures.stale, figures.duplicates, figures.lost_claims) == (1, 1, 1)


def test_each_partition_is_audited_and_all_are_of_one_log():
    logs = [HonestLog(partition, 2) for partition in range(2)]
    entries = {}
    for log in logs:
        log.claim()
        log.open_sale(f"sku{log.partition}")
        entries[Stream.LEDGER, log.partition] = log.ledger
        entries[Stream.COMMANDS, log.partition] = log.commands
    report = audit(MemorySource(2, entries))
    assert report.ok
    assert [pool.sku for pool in report.pools] == ["sku0", "sku1"]
    assert audit(MemorySource(2, entries), [1]).pools[0].sku == "sku1"
    entries[Stream.LEDGER, 1] = entries[Stream.LEDGER, 0]
    assert audit(MemorySource(2, entries)).violations[0].kind is Kind.GENESIS


def test_a_log_with_another_number_of_partitions_than_its_genesis_says_is_a_violation():
    log = HonestLog(0, 2)
    log.partitions = 1
    assert [violation.kind for violation in audit(log.source()).violations] == [Kind.GENESIS]


# --- reading and telling ----------------------------------------------------------------------------------------------


async def fill(log: HonestLog, memory: MemoryLog, clock: list[int]) -> None:
    for topic, entries in ((CATALOGUE.stock_commands, log.commands), (CATALOGUE.stock_ledger, log.ledger)):
        for entry in entries:
            clock[0] = entry.timestamp_ms
            await memory.append(topic.name, log.partition, entry.value)


def test_a_log_behind_the_port_is_read_to_its_end():
    log = RandomSale(Random(4), calm=True).run(60)
    clock = [0]
    memory = MemoryLog([topic.name for topic in CATALOGUE], 1, lambda: clock[0])
    asyncio.run(fill(log, memory, clock))
    with LogSource(memory, CATALOGUE) as source:
        assert source.partitions == 1
        assert audit(source) == audit(log.source())


@pytest.mark.parametrize("topics", [[], [topic.name for topic in CATALOGUE]], ids=["no topics", "no genesis"])
def test_a_log_without_topics_or_genesis_is_a_clear_error_and_its_clients_are_stopped(topics):
    stopped = []

    @asynccontextmanager
    async def log():
        try:
            yield MemoryLog(topics, 1, lambda: 0)
        finally:
            stopped.append(True)

    with pytest.raises(SourceError, match=r"no partition|turnstile topics apply"), LogSource(log, CATALOGUE):
        pass
    assert stopped


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            Violation(Kind.CHAIN, 2, 7, 5, 1, "it broke"),
            "chain: partition 2, ledger offset 7, src 5, index 1: it broke",
        ),
        (Violation(Kind.UNPAID, -1, -1, -1, -1, "order o1"), "unpaid: order o1"),
    ],
)
def test_a_finding_says_where_it_is_if_it_has_a_place(found, said):
    assert str(found) == said


def printed(log: HonestLog, ledger=None) -> str:
    console = Console(file=io.StringIO(), width=200)
    print_report(audit(log.source(ledger)), console)
    return console.file.getvalue()


def test_the_verdict_comes_with_the_head_digest_and_the_first_coordinates():
    log = HonestLog()
    log.claim()
    log.open_sale(units=1)
    log.do(ask(1), ask(2))
    text = printed(log)
    assert log.accepted.digest.hex() in text
    assert "no violation" in text
    text = printed(log, with_decided(log.ledger, 3, cmd_digest=bytes(16)))
    assert "the first: command-digest: partition 0, ledger offset 3, src 2:" in text
