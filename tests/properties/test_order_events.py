"""All events of one order, doubled and in any order: the same end. And what is owed is always asked for again."""

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order_asks import owed
from domain.order_changes import Asks, Resumed, Stepped
from domain.order_row import Order
from domain.order_rules import OrderRules
from tests.domain.order_matrix import EVENTS
from tests.domain.order_scenario import parse, role_of
from tests.properties.commands import order
from tests.properties.order_partition import OrderPartition

HOUR_MS = 3_600_000
RULES = OrderRules(early_keep_ms=1_000 * HOUR_MS, deadline_ms=400 * HOUR_MS)
"""Whatever the order of events, time passes meanwhile; no deadline falls due."""
NAME = order("o1")
HAPPY = (
    "place o1 ann a:1@0,b:1@1", "granted o1@0 1:100", "granted o1@1 2:300", "authorised o1#1 400", "committed o1/1",
    "committed o1/2", "captured o1#1 400", "booked o1",
)  # fmt: skip
JOURNEYS = {
    "confirmed": HAPPY,
    "rejected": (*HAPPY[:2], "refused o1@1 sold-out", "released o1/1"),
    "declined for good": (
        *HAPPY[:3], "declined o1#1", "voided o1#1", "method o1 ann pm_2", "declined o1#2", "voided o1#2",
        "method o1 ann pm_3", "declined o1#3", "voided o1#3", "released o1/1", "released o1/2",
    ),
    "a hold was gone": (*HAPPY[:5], "gone o1/2", "voided o1#1", "released o1/1", "released o1/2"),
    "captured too late": (
        *HAPPY[:6], "failed o1#1", "void-captured o1#1 400", "refunded o1#1", "released o1/1", "released o1/2",
    ),
}  # fmt: skip
"""Stories whose end is one whatever comes in which order: stock, the provider and the customer say the same at last."""


def tell(events) -> OrderPartition:
    partition = OrderPartition(RULES)
    for text in events:
        say(partition, text)
    partition.verify()
    return partition


def say(partition: OrderPartition, text: str) -> None:
    partition.clk += 1_000
    command = parse(text, partition.clk)
    partition.record(command, role=role_of(command, text))
    assert not partition.faults


def ending(partition: OrderPartition):
    """All of the row but the times and counts of what was asked again and when."""
    row = partition.get(NAME)
    return row._replace(version=0) if not isinstance(row, Order) else row._replace(
        offset=0, born_ms=0, version=0, deadline_ms=0, asked_ms=0, resume_ms=0, tries=0,
        lines=tuple(line._replace(deadline_ms=0) for line in row.lines),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(JOURNEYS)), st.randoms(use_true_random=False))
def test_every_event_doubled_and_in_any_order_comes_to_the_same_end(name, random):
    """Each source repeats what it says until it is heard, as agents and relays do: rounds of all events, shuffled."""
    journey = JOURNEYS[name]
    said = [journey[0]]
    for _ in journey:
        doubled = list(journey) * 2
        random.shuffle(doubled)
        said += doubled
    assert ending(tell(said)) == ending(tell(journey))


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(JOURNEYS)), st.randoms(use_true_random=False))
def test_what_was_said_before_changes_nothing_when_it_is_said_again_later_in_any_order(name, random):
    """A wish for the same payment method is a new one once its attempt is over: it is left out."""
    journey = JOURNEYS[name]
    heard = random.randint(1, len(journey))
    partition = tell(journey[:heard])
    before = ending(partition)
    again = [text for text in journey[:heard] * 2 if not text.startswith("method")]
    random.shuffle(again)
    for text in again:
        say(partition, text)
    assert ending(partition) == before


ORDERS = ("o1", "o2", "o3")
TEXTS = [
    text.replace("o1", name).replace("#N", f"#{attempt}").replace("L", str(line)).replace(" KEY", key)
    for name in ORDERS
    for text in (*EVENTS.values(), "place o1 ann a:1@0,b:2@1 partial", "granted o1@0 1:100", "granted o1@1 2:300")
    for attempt in ((1, 2) if "#N" in text else (1,))
    for line in ((0, 1, 2) if "L" in text else (0,))
    for key in (("", " r1", " f1") if " KEY" in text else ("",))
    if text != "tick"
]
AFTER_MS = (0, 0, 10, 1_000, 31_000, 299_000, 3_600_000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(AFTER_MS), st.lists(st.sampled_from(TEXTS), max_size=6)), max_size=25))
def test_whatever_is_sent_the_states_are_sound_and_alike_and_nothing_owed_is_forgotten(history):
    partition = OrderPartition(OrderRules(sweep_max=2, resume_max=1, early_per_customer=2))
    for after_ms, texts in history:
        partition.clk += after_ms
        before = {row.order: row for row in partition.owner.rows if isinstance(row, Order)}
        for text in texts or ["tick"]:
            if text == "tick":
                partition.record()
                continue
            command = parse(text, partition.clk)
            partition.record(command, role=role_of(command, text))
            assert not partition.faults
            partition.verify()
            steps = Counter(change.order for change in partition.changes() if isinstance(change, Stepped))
            for change in partition.changes():
                row = partition.get(change.order)
                if isinstance(change, Stepped) and isinstance(row, Order) and steps[change.order] == 1:
                    check_asked(before.get(change.order), row, change.asks)
            before = {row.order: row for row in partition.owner.rows if isinstance(row, Order)}
    check_resumed(partition)


def check_asked(before: Order | None, after: Order, asks: Asks) -> None:
    """A step asks for what is owed after it, unless that was owed before."""
    due, known = owed(after), owed(before) if before else Asks()
    assert set(due.stock) <= set(asks.stock) | set(known.stock)
    assert due.reserve in {None, asks.reserve, known.reserve}
    if due.pay:
        assert due.pay == asks.pay or (known.pay and known.pay.kind == due.pay.kind)


def check_resumed(partition: OrderPartition) -> None:
    """As time goes on, everything that is owed is asked for again; nothing else is."""
    waiting = {row.order for row in partition.owner.rows if isinstance(row, Order) and owed(row) != Asks()}
    asked = set()
    for _ in range(40):
        due_ms = partition.fold.due_at_ms(partition.owner)
        if due_ms is None:
            break
        partition.record(after_ms=max(0, due_ms - partition.clk))
        for change in partition.changes():
            if isinstance(change, Resumed):
                assert change.asks == owed(partition.get(change.order)) != Asks()
                asked.add(change.order)
    assert waiting <= asked


HISTORY = """
import hashlib
from random import Random
from tests.properties.test_order_events import AFTER_MS, TEXTS
from tests.domain.order_matrix import EVENTS
from tests.domain.order_scenario import parse, role_of
from tests.properties.order_partition import OrderPartition

rng, partition, digest = Random(9), OrderPartition(), hashlib.sha256()
for _ in range(600):
    partition.clk += rng.choice(AFTER_MS[:5])
    text = rng.choice(TEXTS)
    command = parse(text, partition.clk)
    partition.record(command, role=role_of(command, text))
    digest.update(bytes(partition.decided.outcomes) + bytes(partition.decided.details))
print(digest.hexdigest(), hash(b"bytes"))
"""


def run(seed):
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", HISTORY], capture_output=True, text=True, check=True, env=environment)
    return done.stdout.split()


@pytest.mark.slow
def test_no_order_of_hashes_decides_anything():
    (first, first_hash), (second, second_hash) = run("1"), run("2")
    assert first_hash != second_hash
    assert first == second
