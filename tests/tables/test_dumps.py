"""A state put down in shards and taken up again is the state that it was, wherever its history is cut."""

from base64 import b64decode
from pathlib import Path
from random import Random

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from domain.order_rules import OrderRules
from domain.roles import Role
from domain.stock import Adjust, Commit, Open, Reserve, SetPolicy
from streams.fold import Fold, Shard
from tables.gather import SHARD_BYTES, gather
from tables.order_rows import OrderTable
from tables.orders import OrderFold
from tables.stock import StockFold
from tests.domain.order_scenario import parse, role_of
from tests.properties.commands import customer, hold, sale
from tests.properties.histories import AFTER_MS, RULES, SENDERS, command
from tests.properties.order_partition import OrderPartition
from tests.properties.order_partition import content as order_content
from tests.properties.partition import Partition
from tests.properties.test_order_events import AFTER_MS as ORDERS_AFTER_MS
from tests.properties.test_order_events import TEXTS


def again(fold: Fold, state):
    """The same state, by way of its shards."""
    other = fold.new_state(0)
    for shard in fold.dump(state):
        fold.load(other, shard)
    return other


@pytest.mark.parametrize("seed", range(12))
def test_a_stock_standby_that_is_put_down_and_taken_up_stays_equal_to_its_owner(seed):
    rng = Random(seed)
    partition = Partition(RULES)
    partition.record(*sale("a", 4, limit=3), *sale("b", 2, limit=3, hold_ms=400), *sale("n", 0)[:1])
    for _ in range(60):
        after_ms = rng.choice(AFTER_MS)
        batch = [command(rng.choice, partition.clk + after_ms) for _ in range(rng.randint(0, 8))]
        partition.record(*batch, role=rng.choice(SENDERS), after_ms=after_ms)
        partition.standby = again(partition.fold, partition.standby)
        partition.verify()
        pools = partition.owner.pools.values()
        assert [pool.touched_at for pool in partition.standby.pools.values()] == [pool.touched_at for pool in pools]


def test_an_owner_that_is_put_down_and_taken_up_decides_what_it_would_have_decided():
    for seed in range(6):
        answers = []
        for restarts in (False, True):
            rng, partition, told = Random(seed), Partition(RULES), []
            partition.record(*sale("a", 4, limit=3), *sale("b", 2, limit=3, hold_ms=400))
            for _ in range(60):
                after_ms = rng.choice(AFTER_MS)
                batch = [command(rng.choice, partition.clk + after_ms) for _ in range(rng.randint(0, 8))]
                told.append(partition.record(*batch, role=rng.choice(SENDERS), after_ms=after_ms))
                told.append(partition.changes())
                if restarts:
                    partition.owner = again(partition.fold, partition.owner)
            answers.append(told)
        assert answers[0] == answers[1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ORDERS_AFTER_MS), st.sampled_from(TEXTS)), max_size=40))
def test_an_order_standby_that_is_put_down_and_taken_up_stays_equal_to_its_owner(history):
    partition = OrderPartition(OrderRules(sweep_max=2, resume_max=1, early_per_customer=2))
    for after_ms, text in history:
        partition.clk += after_ms
        asked = parse(text, partition.clk)
        partition.record(asked, role=role_of(asked, text))
        partition.standby = again(partition.fold, partition.standby)
        partition.verify()
        assert partition.fold.due_at_ms(partition.standby) == partition.fold.due_at_ms(partition.owner)
    assert order_content(again(partition.fold, partition.owner)) == order_content(partition.owner)


def sold(number: int, clk: int) -> Reserve:
    name = f"o{number}"
    return Reserve(hold(name, 0), "a", customer(name), 1, clk + 1_000, bytes(8))


def test_thousands_of_rows_of_every_kind_come_back_in_shards_of_about_a_millisecond():
    partition = Partition()
    partition.record(SetPolicy("a", 0, 500, "EUR", 5, 900_000, "key"), Adjust("a", 5_000, "initial", ""), Open("a", 1))
    for first in range(0, 6_000, 500):
        batch = [sold(number, partition.clk) for number in range(first, first + 500)]
        partition.record(*batch, role=Role.ORDER, after_ms=1)
    for first in range(0, 2_000, 500):
        batch = [Commit(hold(f"o{number}", 0), customer(f"o{number}")) for number in range(first, first + 500)]
        partition.record(*batch, role=Role.ORDER)
    shards = list(partition.fold.dump(partition.owner))
    assert {shard.name for shard in shards} >= {"rows", "sold", "customers", "customers-sold", "refusals", "deadlines"}
    assert max(len(shard.data) for shard in shards) < 3 * SHARD_BYTES
    partition.standby = again(partition.fold, partition.standby)
    partition.verify()
    pool = partition.standby.pools["a"]
    assert (pool.sold, pool.held, partition.standby.refusals.count) == (2_000, 3_000, 1_000)


def test_pieces_are_gathered_in_order_and_none_is_lost():
    pieces = [bytes([number % 256]) * (number % 700) for number in range(600)]
    shards = list(gather(pieces))
    assert b"".join(shards) == b"".join(pieces)
    assert all(SHARD_BYTES <= len(shard) < SHARD_BYTES + 700 for shard in shards[:-1])
    assert list(gather([b"", b""])) == []


def test_a_shard_of_another_kind_is_refused():
    fold = StockFold()
    shard = next(iter(fold.dump(fold.new_state(0))))
    with pytest.raises(LookupError):
        fold.load(fold.new_state(0), shard._replace(name="what"))
    with pytest.raises(ValueError, match="truncated"):
        fold.load(fold.new_state(0), shard._replace(data=shard.data[:-1]))


def test_orders_of_another_partition_are_refused():
    fold = OrderFold()
    shard = next(iter(fold.dump(fold.new_state(1))))
    with pytest.raises(ValueError, match="partition 1, not 2"):
        fold.load(fold.new_state(2), shard)
    assert isinstance(fold.new_state(1).rows, OrderTable)


STOCK = {
    "core", "pools", "terms", "adjustments", "rows", "sold", "deadlines", "customers", "customers-sold", "refusals",
    "endings", "returns", "tombstones",
}  # fmt: skip
ORDERS = {"core", "orders", "stubs", "early", "early-queue", "early-count", "moves"}
STORY = (
    "place o1 ann a:2@0", "granted o1@0 1:500", "authorised o1#1", "committed o1/1", "captured o1#1 1000", "booked o1",
    "ship o1", "deliver o1", "return o1 r1 1 1 restock", "returned o1/1 r1", "place o2 bob a:1@0",
    "refused o2@0 sold-out", "born o3 cy tee 1", "cancel o4 dan", "cancel o5 dan", "place o6 eve a:1@0,b:2@1 partial",
    "granted o6@0 1:100",
)  # fmt: skip


def fixed_stock() -> Partition:
    """A state with something in every table."""
    partition, rng = Partition(RULES), Random(46)
    partition.record(*sale("a", 9, limit=3), *sale("b", 5, limit=3, hold_ms=400))
    for _ in range(10):
        after_ms = rng.choice(AFTER_MS[:4])
        batch = [command(rng.choice, partition.clk + after_ms) for _ in range(6)]
        partition.record(*batch, role=rng.choice(SENDERS), after_ms=after_ms)
    return partition


def fixed_orders() -> OrderPartition:
    """A state with something in every table."""
    partition = OrderPartition()
    for text in STORY:
        partition.clk += 10
        asked = parse(text, partition.clk)
        partition.record(asked, role=role_of(asked, text))
    return partition


def golden(fold: Fold) -> Path:
    """A dump of the fixed state in one layout, as the program that wrote it did: base64 of msgpack."""
    return Path(__file__).parent / "golden" / f"{fold.name}-{fold.layout}.txt"


@pytest.mark.parametrize(("make", "tables"), [(fixed_stock, STOCK), (fixed_orders, ORDERS)])
def test_what_was_written_in_this_layout_still_says_the_same(make, tables):
    """Red after a change of a table's records? Raise the fold's `layout`, and keep a dump of the new one here."""
    partition = make()
    shards = msgspec.msgpack.decode(b64decode(golden(partition.fold).read_bytes()), type=list[Shard])
    assert {shard.name for shard in shards} == tables
    partition.standby = partition.fold.new_state(0)
    for shard in shards:
        partition.fold.load(partition.standby, shard)
    partition.verify()
