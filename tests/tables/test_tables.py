"""The compact tables against dicts, and what they cost."""

from random import Random

import pytest

from domain.outcomes import InvariantViolatedError
from domain.refusals import Refusal
from domain.reservation import RowState
from domain.rules import RULES
from tables import refusals as refusal_table
from tables.packed import PackedTable
from tables.refusals import RefusalTable
from tables.reservations import CountTable, RowTable
from tests.properties.plain import PlainCounts, PlainRows


def test_a_packed_table_holds_what_a_dict_holds():
    rng = Random(1)
    table, twin = PackedTable(5, 8), {}
    for _ in range(20_000):
        key = rng.randrange(6_000).to_bytes(5, "big")
        assert table.get(key) == twin.get(key)
        assert table.places([key, b"never"]) == ([0] if key in twin else [])
        if key not in twin:
            twin[key] = key + rng.randbytes(3)
            table.append(twin[key])
        elif rng.random() < 0.5:
            twin[key] = key + rng.randbytes(3)
            assert table.replace(twin[key])
        else:
            del twin[key]
            assert table.cut(key)
            assert not table.cut(key)
            assert not table.replace(key + bytes(3))
    assert len(table) == len(twin)
    assert sorted(table) == sorted(twin.values())


class Searching(PackedTable):
    """Counts the searches."""

    searches = 0

    def _find(self, key: bytes) -> tuple[int, int]:
        self.searches += 1
        return super()._find(key)


@pytest.mark.parametrize(("key", "width"), [(17, 62), (12, 16)])
def test_all_of_a_batch_that_are_there_are_found_and_few_others_are_searched_for(key, width):
    rng = Random(3)
    table = Searching(key, width)
    there: list[bytes] = []
    for size in (0, 1, 1_000, 5_000, 14_000):
        there += [rng.randbytes(key) for _ in range(size)]
        for each in there[len(table) :]:
            table.append(each + bytes(width - key))
        assert table.places(tuple(there)) == list(range(len(there)))
        table.searches = 0
        assert table.places([rng.randbytes(key) for _ in range(20_000)]) == []
        assert table.searches < 0.03 * 20_000  # the marks say 1.5 %
    assert table.places(there[:1]) == [0]
    for each in there:
        assert table.cut(each)
    table.searches = 0
    assert table.places(there) == []
    assert table.searches == 0, "a mark was left behind"


def test_what_was_loaded_into_a_table_with_room_is_found():
    rng = Random(4)
    table = PackedTable(5, 8)
    records = [rng.randbytes(8) for _ in range(5_000)]
    table.reserve(4_000)  # less than there are
    table.load(b"".join(records))
    keys = [record[:5] for record in records]
    assert table.places(keys) == list(range(5_000))
    assert sorted(table) == sorted(records)


def test_a_key_inside_another_record_is_not_found():
    table = PackedTable(2, 4)
    keys = [bytes((a, b)) for a in range(4) for b in range(4)]
    for key in keys:
        table.append(key + b"\x01\x02")  # 0102 and parts of neighbours look like keys everywhere
    for key in keys:
        assert table.get(key) == key + b"\x01\x02"
    table.cut(b"\x01\x02")
    assert table.get(b"\x01\x02") is None


def test_rows_live_sold_and_ended_are_what_was_put_there():
    rng = Random(2)
    table, twin = RowTable(), PlainRows()
    for step in range(20_000):
        hold = rng.randrange(3_000).to_bytes(8, "big") + bytes(9)
        row = table.get(hold)
        assert row == twin.get(hold)
        if row is None:
            row = (hold, rng.randbytes(8), rng.randbytes(8), rng.randrange(1, 1 << 32), rng.randrange(1, 1 << 16))
            where = (rng.randrange(1 << 47), rng.randrange(500), rng.randrange(1 << 48))
            for each in (table, twin):
                each.hold(*row, *where)
            with pytest.raises(InvariantViolatedError):
                table.hold(*row, *where)
        elif row.state in {RowState.EXPIRED, RowState.RELEASED, RowState.RETURNED} and rng.random() < 0.7:
            for each in (table, twin):
                each.remove(row)
        else:
            change = (rng.choice(list(RowState)), rng.randrange(row.quantity + 1), step)
            for each in (table, twin):
                each.update(row, *change)
    assert len(table) == len(twin)
    assert sorted(table) == sorted(twin)
    assert sum(row.state == RowState.SOLD for row in table) > 100


@pytest.mark.parametrize("at_once", [1, 3, 65, 300])
def test_rows_that_were_dumped_by_dicts_of_another_size_are_found(at_once):
    rng = Random(5)
    source, table = RowTable(), RowTable()
    for byte in range(256):
        source.hold(rng.randbytes(5) + bytes((byte,)) + rng.randbytes(11), bytes(8), bytes(8), 1, 1, 1, 1, 1)
    dumped = b"".join(source.dump())
    records = sorted((dumped[at : at + 62] for at in range(0, len(dumped), 62)), key=lambda record: record[5])
    for at in range(0, len(records), at_once):
        table.load(b"".join(records[at : at + at_once]))
    assert sorted(table) == sorted(source)
    assert all(table.get(row.hold) == row for row in source)


@pytest.mark.parametrize("customer", [b"", b"customer"])
def test_a_tombstone_has_its_customer_or_none_and_nothing_else(customer):
    table, twin = RowTable(), PlainRows()
    for each in (table, twin):
        each.bury(bytes(17), customer, 7, 3, 1_234)
    assert table.get(bytes(17)) == twin.get(bytes(17))
    with pytest.raises(InvariantViolatedError):
        table.bury(bytes(17), customer, 7, 3, 1_234)


def test_a_sold_row_is_62_bytes():
    table = RowTable()
    table.hold(bytes(17), bytes(8), bytes(8), 1, 1, 1, 1, 1)
    table.update(table.get(bytes(17)), RowState.SOLD, 0, 1)
    assert [len(record) for record in table.sold] == [62]


def test_counts_are_sums_of_held_and_sold_and_never_negative():
    rng = Random(3)
    table, twin = CountTable(), PlainCounts()
    for _ in range(20_000):
        customer, key = rng.randrange(300).to_bytes(8, "little"), rng.randrange(3).to_bytes(4, "big")
        name, units = rng.choice(["add_held", "add_sold"]), rng.choice([1, 2, -1, -2])
        try:
            getattr(twin, name)(customer, key, units)
        except InvariantViolatedError:
            with pytest.raises(InvariantViolatedError):
                getattr(table, name)(customer, key, units)
        else:
            getattr(table, name)(customer, key, units)
        assert table.get(customer, key) == twin.get(customer, key)
    assert sorted(table) == sorted(twin)


@pytest.mark.parametrize("number_bits", [12, 23])
def test_a_refusal_is_remembered_until_its_generation_is_forgotten(monkeypatch, number_bits):
    monkeypatch.setattr(refusal_table, "_SLOTS_FEW", 1 << 6)
    monkeypatch.setattr(refusal_table, "_SLOTS_MANY", 1 << 8)
    monkeypatch.setattr(refusal_table, "_SLOTS_PER_KEY", 1)  # crowded: chains are long, and shared
    monkeypatch.setattr(refusal_table, "_LOW", (1 << number_bits) - 1)  # with 12, numbers come round again and again
    monkeypatch.setattr(refusal_table, "_LINK", (1 << number_bits + 7) - 1)
    rng = Random(4)
    table, twin, number = RefusalTable(), {}, 1_000
    table.turn(number, 3)
    for step in range(30_000):
        if rng.random() < 0.002:
            number += rng.choice([1, 1, 1, 2, 7])
            table.turn(number, 3)
            twin = {hold: entry for hold, entry in twin.items() if entry[1] > number - 3}
        hold = rng.randrange(4_000).to_bytes(9, "big") + bytes(8)
        known = twin.get(hold)
        assert table.get(hold) == (known and known[0])
        refusal = Refusal(hold, rng.randrange(1, 44), rng.randbytes(8), step << 20, rng.randrange(500))
        if known is None:
            table.add(*refusal)
            twin[hold] = (refusal, number)
        else:
            with pytest.raises(InvariantViolatedError):
                table.add(*refusal)
        assert table.count == len(twin)
    assert sorted(table) == sorted(refusal for refusal, _ in twin.values())


def test_links_can_tell_as_many_refusals_apart_as_any_rules_let_be_remembered():
    assert max(rules.refusals_max for rules in RULES.values()) <= refusal_table._LOW + 1


def test_refusals_that_are_remembered_already_are_refused_whole():
    table = RefusalTable()
    table.turn(0, 5)
    table.add(bytes(17), 12, bytes(8), 1, 1)
    new = bytes([1] * 17)
    for holds in [(new, bytes(17)), (new, new)]:
        table.known(holds)
        with pytest.raises(InvariantViolatedError):
            table.add_all(holds, bytes([12, 12]), (bytes(8), bytes(8)), 2, (0, 1))
        assert table.get(new) is None
        assert table.count == 1


def test_an_answer_about_known_refusals_does_not_outlive_a_change():
    table, holds = RefusalTable(), (bytes(17),)
    table.turn(0, 1)
    assert table.known(holds) == []
    table.add(bytes(17), 12, bytes(8), 1, 1)
    with pytest.raises(InvariantViolatedError):
        table.add_all(holds, bytes([12]), (bytes(8),), 2, (0,))
    assert table.known(holds) == [0]
    table.turn(1, 1)
    table.add_all(holds, bytes([13]), (bytes(8),), 3, (0,))
    assert table.get(bytes(17)) == Refusal(bytes(17), 13, bytes(8), 3, 0)


@pytest.mark.parametrize(("hold_bytes", "fingerprint_bytes"), [(16, 8), (17, 7)])
def test_a_refusal_of_another_width_is_not_remembered(hold_bytes, fingerprint_bytes):
    table = RefusalTable()
    table.turn(0, 5)
    with pytest.raises(InvariantViolatedError):
        table.add(bytes(hold_bytes), 12, bytes(fingerprint_bytes), 1, 1)
    assert list(table) == []


def test_a_refusal_is_32_bytes_in_a_dump():
    assert refusal_table.WIDTH == 32
