"""The order fold behind the protocol: compact rows, lawful records, faults, and time."""

import sys

import msgspec
import pytest

from domain.order_changes import Begun, Core, Noticed, Stepped
from domain.order_row import Stub
from domain.order_rules import OrderRules
from domain.orders import Booked, Cancel, Pay, PayAnswered, Phase
from domain.outcomes import InvariantViolatedError
from domain.roles import Role
from streams.order_records import decode_details, encode_details
from streams.protocol import Tick
from streams.records import EMPTY_DETAILS, Decided, UndecodableError
from tables import orders as tables_orders
from tables.order_rows import STUB_BYTES, OrderTable
from tables.orders import OrderFold
from tests.domain.order_scenario import parse, step
from tests.properties.commands import order
from tests.properties.order_partition import OrderPartition

BORN = "born o1 ann tee 1"


def decided(partition: OrderPartition, changes, clk=None) -> Decided:
    """A record that somebody else wrote after what the partition has."""
    details = encode_details(changes, replied=False)
    return Decided(partition.src + 1, bytes(16), clk or partition.clk, "gw", 1, b"\x00", None, None, details)


def born() -> OrderPartition:
    partition = OrderPartition()
    step(partition, 0, BORN)
    return partition


def authorised(partition: OrderPartition) -> Stepped:
    """The change that another owner would have written next."""
    twin = partition.twin()
    step(twin, 0, "authorised o1#1")
    return twin.changes()[0]


def test_a_stub_takes_at_most_64_bytes_and_a_living_order_some_hundred():
    assert STUB_BYTES <= 64
    partition = born()
    (packed,) = [value for shard in partition.owner.rows._shards for value in shard.values()]
    assert sys.getsizeof(packed) < 300
    for text in ("cancel o1 ann", "released o1/0", "voided o1#1"):
        step(partition, 0, text)
    assert not any(partition.owner.rows._shards)
    assert list(partition.owner.rows) == [partition.get(order("o1"))]


def test_a_stub_comes_back_as_it_was_buried():
    table = OrderTable()
    for number, phase in enumerate((Phase.REJECTED, Phase.EXPIRED, Phase.CANCELLED, Phase.REFUNDED)):
        stub = Stub(order(f"s{number}"), b"c" * 8, b"f" * 8, 2**40 + number, 499, phase, Phase.CANCELLED, 2**31, 2**20)
        table.bury(stub)
        assert table.get(stub.order) == stub
    early = Stub(order("e1"), b"", b"", 0, 0, Phase.EARLY, Phase.CANCELLED, 1, 1, 2**40)
    table.bury(early)
    assert table.get(early.order) == early
    assert len(table) == 5 == len(list(table))
    table.remove(early.order)
    assert table.get(early.order) is None


def test_thousands_of_orders_are_found_again():
    partition = OrderPartition()
    for number in range(3_000):
        command = parse(f"born n{number} ann tee 1", partition.clk)
        partition.record(command, role=Role.RELAY)
    partition.record(*[Cancel(order(f"n{number}"), bytes(8), b"") for number in range(400)], role=Role.OPS)
    for number in range(400):
        step(partition, 0, f"released n{number}/0")
        step(partition, 0, f"voided n{number}#1")
    assert len(partition.owner.rows) == 3_000
    assert sum(isinstance(row, Stub) for row in partition.owner.rows) == 400
    assert partition.get(order("n399")).phase is Phase.CANCELLED
    assert partition.get(order("n400")).phase is Phase.PENDING
    partition.verify()


def test_a_record_that_others_decided_is_folded_from_its_changes_alone(monkeypatch):
    """play() compares owner and standby after every row; here a standby that cannot decide."""
    partition = born()
    monkeypatch.setattr(tables_orders, "decide", None)
    change = authorised_without_deciding(partition)
    record = decided(partition, [change])
    assert partition.fold.lawful(partition.standby, record, evolved=False)
    partition.fold.apply(partition.standby, record)
    assert partition.standby.rows.get(order("o1")).pay is Pay.AUTHORISED


def authorised_without_deciding(partition: OrderPartition) -> Stepped:
    row = partition.get(order("o1"))
    core = Core(Phase.PENDING, None, Pay.AUTHORISED, 1, 0, 500, 500, 0, 0, row.asked_ms, row.resume_ms, 0, "")
    (begun, first) = partition.changes()
    assert isinstance(begun, Begun)
    return first._replace(
        cause="authorised", version=2, before="PAYMENT_PENDING", passed=(), core=core, was="h", letters="c", texts=None,
        terms=(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "broken",
    [
        lambda change: change._replace(version=3),
        lambda change: change._replace(version=1),
        lambda change: change._replace(letters="t"),
        lambda change: change._replace(letters="cc"),
        lambda change: change._replace(core=change.core._replace(pay=Pay.CAPTURED)),
        lambda change: change._replace(core=change.core._replace(phase=Phase.EXPIRED)),
        lambda change: change._replace(core=change.core._replace(refunded=1)),
        lambda change: change._replace(order=order("o2")),
    ],
)
def test_a_change_that_does_not_follow_is_unlawful_and_cannot_be_folded(broken):
    partition = born()
    change = broken(authorised(partition))
    record = decided(partition, [change])
    assert not partition.fold.lawful(partition.owner, record, evolved=False)
    if change.core.refunded <= change.core.captured:
        with pytest.raises(InvariantViolatedError):
            partition.fold.apply(partition.owner, record)


def test_the_owners_own_record_is_compared_with_the_state_after_it():
    partition = born()
    step(partition, 0, "authorised o1#1")
    assert partition.fold.lawful(partition.owner, partition.decided, evolved=True)
    step(partition, 0, "committed o1/0")
    assert not partition.fold.lawful(partition.owner, decided(partition, [authorised(born())]), evolved=True)


def test_an_order_begins_once_and_a_beginning_comes_to_something():
    partition = born()
    begun, first = partition.changes()
    with pytest.raises(InvariantViolatedError, match="exists"):
        partition.fold.apply(partition.owner, decided(partition, [begun, first]))
    other = begun._replace(order=order("o2"))
    with pytest.raises(InvariantViolatedError, match="says no more"):
        partition.fold.apply(partition.standby, decided(partition, [other]))


def test_time_never_goes_back():
    partition = born()
    with pytest.raises(InvariantViolatedError, match="is before"):
        partition.fold.apply(partition.owner, decided(partition, [], clk=partition.clk - 1))


def test_something_told_of_another_version_does_not_fit():
    partition = born()
    told = Noticed(0, order("o1"), "requested", "hint", 7, "PAYMENT_PENDING", authorised(partition).asks)
    record = decided(partition, [told])
    assert not partition.fold.lawful(partition.owner, record, evolved=False)
    with pytest.raises(InvariantViolatedError):
        partition.fold.apply(partition.owner, record)


def test_an_exception_in_deciding_one_command_is_a_fault_of_it_alone(monkeypatch):
    real = tables_orders.decide

    def decide(state, command, role, index, lines_left):
        if isinstance(command, Booked):
            raise ZeroDivisionError
        return real(state, command, role, index, lines_left)

    monkeypatch.setattr(tables_orders, "decide", decide)
    partition = OrderPartition()
    births = [parse(f"born o{number} ann tee 1", partition.clk) for number in (1, 2)]
    assert partition.record(births[0], Booked(order("o1"), 1), births[1], role=Role.RELAY) == ["born", "fault", "born"]
    assert [(fault.index, fault.error) for fault in partition.faults] == [(1, "ZeroDivisionError: ")]
    partition.verify()


def test_a_broken_state_is_no_fault(monkeypatch):
    def decide(*_):
        raise InvariantViolatedError

    monkeypatch.setattr(tables_orders, "decide", decide)
    with pytest.raises(InvariantViolatedError):
        step(OrderPartition(), 0, BORN)


def test_an_idle_tick_says_nothing_and_the_protocols_own_commands_are_left_alone():
    partition = OrderPartition()
    decision = partition.fold.decide(partition.owner, [Tick()], Role.GATEWAY, 1, partition.clk)
    assert bytes(decision.outcomes) == b"\x00"
    assert decision.details == EMPTY_DETAILS


@pytest.mark.parametrize(("role", "replied"), [(Role.GATEWAY, True), (Role.OPS, True), (Role.PAYMENT, False)])
def test_whoever_wished_for_something_is_answered(role, replied):
    partition = OrderPartition()
    command = (
        Cancel(order("o9"), bytes(8), b"c" * 8) if replied else PayAnswered(order("o9"), 1, "void", "voided", "", 0)
    )
    decision = partition.fold.decide(partition.owner, [command], role, 1, partition.clk)
    assert decode_details(decision.details).replied is replied


def test_everybody_may_send_what_is_theirs_and_nothing_else():
    partition = OrderPartition()
    command = parse(BORN, partition.clk)
    for role in Role:
        expected = "born" if role is Role.RELAY else "forbidden"
        assert OrderPartition().record(command, role=role) == [expected]
        assert partition.record(Booked(order("o1"), 1), role=role) == (
            ["unchanged"] if role is Role.CONFIRMATION else ["forbidden"]
        )


def test_what_is_due_next_is_the_earliest_deadline_or_repetition():
    partition = OrderPartition(OrderRules(deadline_ms=20_000))
    assert partition.fold.due_at_ms(partition.owner) is None
    step(partition, 0, BORN)
    assert partition.fold.due_at_ms(partition.owner) == partition.clk + 20_000
    step(partition, 0, "authorised o1#1")
    assert partition.fold.due_at_ms(partition.owner) == partition.clk + 30_000
    for text in ("committed o1/0", "captured o1#1", "booked o1"):
        step(partition, 0, text)
    assert partition.fold.due_at_ms(partition.owner) is None


def test_a_worker_claims_only_rules_that_it_implements():
    fold = OrderFold({1: OrderRules(), 2: OrderRules()})
    assert fold.rules_versions == {1, 2}
    assert fold.rules_version(fold.new_state(0)) == 1


def test_details_of_another_ledger_are_undecodable():
    with pytest.raises(UndecodableError):
        decode_details(msgspec.Raw(b"\x01"))
