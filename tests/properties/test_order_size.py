"""Every legal decision about orders encodes to at most 900 KiB, whatever a full batch says and whatever is due."""

from random import Random

import pytest

from domain import orders as o
from domain.order_changes import Resumed, Stepped
from domain.order_rules import ORDER_RULES, OrderRules
from domain.order_shapes import AMOUNT_MAX
from domain.outcomes import Outcome
from domain.roles import Role
from domain.shapes import SKU_MAX
from streams.order_records import BATCHES
from streams.records import BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, DECIDED_BYTES_MAX
from tests.properties.order_partition import OrderPartition

START_MS = 1 << 40  # nine bytes on the wire
HOLD_MS = 10**9
METHOD = "pm_" + "m" * 61
INTENT = "pi_" + "i" * 61
REASON = "r" * 64
PRICE = AMOUNT_MAX // 20


def batches(commands, role):
    """Split into legal batches."""
    while commands:
        size = min(len(commands), BATCH_COMMANDS_MAX)
        while len(BATCHES.encode(bytes(16), role, "sender", 1, commands[:size])) > BATCH_BYTES_MAX:
            size -= size // 10 + 1
        yield commands[:size]
        commands = commands[size:]


class Crowd(OrderPartition):
    """Many orders of twenty lines with the longest names there may be."""

    def __init__(self, rules: OrderRules | None = None):
        super().__init__(rules, clk=START_MS)
        self.rng = Random(7)

    def place(self, partitions=1, sku=SKU_MAX, method=METHOD) -> o.Place:
        lines = tuple(
            o.PlacedLine(line, f"{line:0{sku}}", 65_000 + line % partitions, 60_000, 10**15)
            for line in range(1, o.LINES_MAX + 1)
        )
        customer, content = self.rng.randbytes(8), self.rng.randbytes(8)
        return o.Place(self.rng.randbytes(16), customer, content, True, self.clk, lines, method, b"")

    def all_of(self, commands, role):
        sizes = []
        for batch in batches(commands, role):
            answers = self.record(*batch, role=role)
            assert not set(answers) & {"malformed", "forbidden", "fault"}, set(answers)
            sizes.append(self.size)
        return sizes

    def granted(self, name: bytes, partition: int, lines) -> o.Reserved:
        return o.Reserved(name, partition, Outcome.GRANTED, lines, ())

    def held(self, count: int) -> list[bytes]:
        """Orders whose twenty lines are held and whose money is being authorised."""
        places = [self.place() for _ in range(count)]
        self.all_of(places, Role.GATEWAY)
        grants = tuple(o.GrantedLine(line, 16_000, "EUR", self.clk + HOLD_MS) for line in range(1, o.LINES_MAX + 1))
        self.all_of([self.granted(place.order, 65_000, grants) for place in places], Role.RELAY)
        assert {self.get(place.order).pay for place in places} == {o.Pay.AUTHORISING}
        return [place.order for place in places]


def answers(names, operation, outcome):
    return [o.PayAnswered(name, 1, operation, outcome, "", 10**12) for name in names]


def test_a_batch_of_orders_of_twenty_lines():
    crowd = Crowd()
    assert max(crowd.all_of([crowd.place(sku=2, method="") for _ in range(500)], Role.GATEWAY)) < DECIDED_BYTES_MAX
    assert max(crowd.all_of([crowd.place()], Role.GATEWAY)) < DECIDED_BYTES_MAX


@pytest.mark.slow
def test_a_batch_of_answers_each_of_which_asks_for_twenty_commits():
    crowd = Crowd()
    names = crowd.held(500)
    sizes = crowd.all_of(answers(names, "authorise", "authorised"), Role.PAYMENT)
    assert max(sizes) < DECIDED_BYTES_MAX
    assert all(letters == {"c"} for letters in ({line.state for line in crowd.get(name).lines} for name in names))


def test_reserve_requests_over_the_records_limit_are_busy_and_asked_for_again():
    crowd = Crowd()
    places = [crowd.place(partitions=2) for _ in range(200)]
    crowd.all_of(places, Role.GATEWAY)
    grants = tuple(o.GrantedLine(line, 1, "EUR", crowd.clk + HOLD_MS) for line in range(2, 21, 2))
    told = [crowd.granted(place.order, 65_000, grants) for place in places]
    (batch,) = [batch for batch in batches(told, Role.RELAY) if len(batch) > 100][:1]
    codes = crowd.record(*batch, role=Role.RELAY)
    allowed = ORDER_RULES[1].record_lines_max // 10
    assert codes == ["noted"] * allowed + ["busy"] * (len(batch) - allowed)
    crowd.record(after_ms=30_000)
    assert any(isinstance(change, Resumed) and change.asks.reserve for change in crowd.changes())


@pytest.mark.slow
@pytest.mark.parametrize("wish", ["cancel", "take back"])
def test_the_worst_record_wishes_for_full_orders_and_both_sweeps_at_once(wish):
    """500 orders of twenty lines turn round, while others fall due and others ask again with all their lines."""
    rules = ORDER_RULES[1]._replace(deadline_ms=5 * 60_000)
    crowd = Crowd(rules)
    names = crowd.held(BATCH_COMMANDS_MAX)
    crowd.all_of(answers(names, "authorise", "authorised"), Role.PAYMENT)
    commits = [o.LineAnswered(name, line, "commit", Outcome.COMMITTED) for name in names for line in range(1, 21)]
    crowd.all_of(commits, Role.RELAY)
    captured = [answer._replace(intent=INTENT, reason=REASON) for answer in answers(names, "capture", "captured")]
    crowd.all_of(captured, Role.PAYMENT)
    if wish == "take back":
        crowd.all_of([o.Booked(name, 1) for name in names], Role.CONFIRMATION)
        crowd.all_of([o.Ship(name, o.ALL_LINES, 0) for name in names], Role.OPS)
        wishes = [o.TakeBack(name, name[:8], o.ALL_LINES, 0, True) for name in names]
    else:
        wishes = [o.Cancel(name, bytes(8), b"") for name in names]
    due = crowd.held(rules.sweep_max)
    crowd.clk += rules.deadline_ms - rules.resume_first_ms
    late = [crowd.place() for _ in range(rules.resume_max)]
    while crowd.fold.due_at_ms(crowd.owner) <= crowd.clk:  # the requests of all the others
        crowd.record()
    crowd.all_of(late, Role.GATEWAY)
    crowd.clk += rules.resume_first_ms
    assert {crowd.get(name).phase for name in due} == {o.Phase.PENDING}
    (batch,) = batches(wishes, Role.OPS)
    assert set(crowd.record(*batch, role=Role.OPS)) == {"accepted"}
    changes = crowd.changes()
    assert sum(isinstance(change, Resumed) for change in changes) == rules.resume_max
    assert sum(isinstance(change, Stepped) for change in changes) == rules.sweep_max + len(batch)
    assert crowd.size <= DECIDED_BYTES_MAX
    assert crowd.size > 400_000, "no worst case any more"  # 415,733 and 519,733 when this was written
    crowd.verify()
