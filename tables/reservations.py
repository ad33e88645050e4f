"""Reservation rows and customers' counts in their compact form.

Most rows are asked for and changed while they are held, and few bytes matter most for those that never leave: so live
and ended rows are packed values of a dict (about 240 bytes each with key and slot), sold ones are records of a
PackedTable (about 80 bytes each).

A batch's keys are looked up in one call of the interpreter: where tables are large, the processor then waits for
several places in memory at a time. It does not if their hashes are still to be made: so the sold ones are asked first.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from operator import contains
from struct import Struct
from typing import NoReturn, TypeVar

from domain.ids import CUSTOMER_BYTES, HOLD_ID_BYTES
from domain.outcomes import InvariantViolatedError
from domain.reservation import HELD, NO_TERMS, RELEASED, SOLD, Row
from tables.gather import batches, gather
from tables.packed import PackedTable
from tables.shards import by_byte, each

V = TypeVar("V")

_ROW = Struct(">B8s8sIQQQ")
"""state, customer, fingerprint, terms, then three pairs of 48 + 16 bits: (offset, position), (deadline, quantity),
(moment, returned). 45 bytes; with its hold in front 62 bytes, the size of a sold row."""
_GRANT = Struct(">B8s8s10sH6sH6s2s")
"""The same, by what the grants of one record in one pool share: terms and offset, deadline, moment, 0 returned."""
_pack = _ROW.pack
_unpack = _ROW.unpack
_new = tuple.__new__
"""NamedTuple's own constructor is a Python function and takes twice the time."""
_LOW = 0xFFFF
_NOBODY = bytes(CUSTOMER_BYTES)
_SHARD_BYTE = 5
"""A random one of a hold's."""
_RECORDS = Struct(f"{HOLD_ID_BYTES}s{_ROW.size}s")
_AT_ONCE = 1_024
"""Items of a dict that are dumped together: 64 KB."""
_UNITS = CUSTOMER_BYTES + 4
"""Offset of the units in a sold customer's record: behind the customer and the pool's key."""
_HELD_UNITS = Struct(f">{_UNITS}sI")


class RowTable:
    """domain.reservation.Rows."""

    __slots__ = ("_shards", "sold")

    def __init__(self) -> None:
        self._shards: list[dict[bytes, bytes]] = by_byte()
        self.sold = PackedTable(HOLD_ID_BYTES, HOLD_ID_BYTES + _ROW.size)

    def get(self, hold: bytes) -> Row | None:
        """The row, if there is one."""
        packed = self._shards[hold[_SHARD_BYTE]].get(hold)
        if packed is not None:
            return _row(hold, packed)
        record = self.sold.get(hold)
        return None if record is None else _row(hold, record[HOLD_ID_BYTES:])

    def hold(
        self,
        hold: bytes,
        customer: bytes,
        fingerprint: bytes,
        terms: int,
        quantity: int,
        offset: int,
        position: int,
        deadline_ms: int,
    ) -> None:
        """A new HELD row; InvariantViolatedError if the hold has one."""
        shard = self._shards[hold[_SHARD_BYTE]]
        if hold in shard or self.sold.get(hold):
            _exists(hold)
        moment = deadline_ms << 16
        shard[hold] = _pack(HELD, customer, fingerprint, terms, offset << 16 | position, moment | quantity, moment)

    def known(self, holds: Sequence[bytes]) -> list[int]:
        """Places of those that have a row."""
        sold = self.sold.places(holds)
        shards = self._shards
        there = [*map(contains, [shards[hold[_SHARD_BYTE]] for hold in holds], holds)]
        return [at for at, is_there in enumerate(there) if is_there] + sold if True in there else sold

    def hold_all(
        self,
        holds: Sequence[bytes],
        customers: Sequence[bytes],
        fingerprints: Sequence[bytes],
        origins: Sequence[tuple[int, int]],
        numbers: Sequence[int],
        quantities: Sequence[int],
        offset: int,
        positions: Sequence[int],
    ) -> None:
        """As `hold`, of many, at half the cost. `numbers`: which of `origins` each has; empty: all the first."""
        known = self.sold.places(holds)
        if known:
            _exists(holds[known[0]])
        at = offset.to_bytes(6, "big")
        said = [(terms.to_bytes(4, "big") + at, deadline_ms.to_bytes(6, "big")) for terms, deadline_ms in origins]
        each = [said[number] for number in numbers] or repeat(said[0], len(holds))
        pack, shards, none = _GRANT.pack, self._shards, bytes(2)
        for hold, customer, fingerprint, quantity, position, (origin, deadline) in zip(
            holds, customers, fingerprints, quantities, positions, each, strict=True
        ):
            row = pack(HELD, customer, fingerprint, origin, position, deadline, quantity, deadline, none)
            if shards[hold[_SHARD_BYTE]].setdefault(hold, row) is not row:
                _exists(hold)

    def bury(self, hold: bytes, customer: bytes, offset: int, position: int, ended_ms: int) -> None:
        """A new RELEASED row that nothing was granted for; InvariantViolatedError if the hold has one."""
        if self.get(hold) is not None:
            _exists(hold)
        self._shards[hold[_SHARD_BYTE]][hold] = _pack(
            RELEASED, customer, b"", NO_TERMS, offset << 16 | position, 0, ended_ms << 16
        )

    def update(self, row: Row, state: int, returned: int, moment_ms: int) -> None:
        """What changes in the life of a row that `get` just gave."""
        hold, before, customer, fingerprint, terms, quantity, _, offset, position, deadline_ms, _ = row
        packed = _pack(
            state,
            customer,
            fingerprint,
            terms,
            offset << 16 | position,
            deadline_ms << 16 | quantity,
            moment_ms << 16 | returned,
        )
        shard = self._shards[hold[_SHARD_BYTE]]
        if before == SOLD:
            self._cut(hold)
        elif state == SOLD:
            del shard[hold]
        if state == SOLD:
            self.sold.append(hold + packed)
        else:
            shard[hold] = packed

    def _cut(self, hold: bytes) -> None:
        if not self.sold.cut(hold):
            message = f"reservation {hold.hex()} was sold and is not there"
            raise InvariantViolatedError(message)

    def remove(self, row: Row) -> None:
        """An ended row leaves."""
        del self._shards[row.hold[_SHARD_BYTE]][row.hold]

    def dump(self) -> Iterator[bytes]:
        """Records of live and ended rows, many at a time: hold and packed row."""
        return gather(b"".join(chain.from_iterable(some)) for some in _items(self._shards))

    def load(self, records: bytes) -> None:
        """What `dump` gave: records of one dict after those of another, and in bulk those of one alone."""
        shards = self._shards
        first = shards[records[_SHARD_BYTE]]
        if first is shards[records[_SHARD_BYTE - _RECORDS.size]]:
            first.update(_RECORDS.iter_unpack(records))
            return
        for hold, packed in _RECORDS.iter_unpack(records):
            shards[hold[_SHARD_BYTE]][hold] = packed

    def __iter__(self) -> Iterator[Row]:
        """In no order that means anything."""
        for shard in each(self._shards):
            for hold, packed in shard.items():
                yield _row(hold, packed)
        for record in self.sold:
            yield _row(record[:HOLD_ID_BYTES], record[HOLD_ID_BYTES:])

    def __len__(self) -> int:
        return len(self.sold) + sum(len(shard) for shard in each(self._shards))


def _items(shards: list[dict[bytes, V]]) -> Iterator[list[tuple[bytes, V]]]:
    return chain.from_iterable(batches(shard.items(), _AT_ONCE) for shard in each(shards))


def _row(hold: bytes, packed: bytes) -> Row:
    state, customer, fingerprint, terms, receipt, deadline, moment = _unpack(packed)
    if terms == NO_TERMS:  # a tombstone: nothing was asked, perhaps by nobody in particular
        fingerprint = b""
        customer = b"" if customer == _NOBODY else customer
    return _new(
        Row,
        (
            hold,
            state,
            customer,
            fingerprint,
            terms,
            deadline & _LOW,
            moment & _LOW,
            receipt >> 16,
            receipt & _LOW,
            deadline >> 16,
            moment >> 16,
        ),
    )


class CountTable:
    """domain.reservation.Counts: units held in dicts (they come and go), units sold in a PackedTable.

    A sold customer costs 16 bytes and about 20 of overhead.
    """

    __slots__ = ("_held", "sold")

    def __init__(self) -> None:
        self._held: list[dict[bytes, int]] = by_byte()
        self.sold = PackedTable(_UNITS, _UNITS + 4)

    def get(self, customer: bytes, pool_key: bytes) -> int:
        """Units held and sold."""
        key = customer + pool_key
        return self._held[customer[0]].get(key, 0) + _units(self.sold.get(key))

    def units(self, keys: Sequence[bytes]) -> list[int]:
        """Units held and sold, by keys: a customer and a pool's key behind it."""
        sold = self.sold.places(keys)
        shards = self._held
        units = [*map(dict.get, [shards[key[0]] for key in keys], keys, repeat(0))]
        for place in sold:
            units[place] += _units(self.sold.get(keys[place]))
        return units

    def add_held_all(
        self, customers: Sequence[bytes], pool_keys: Sequence[bytes], numbers: Sequence[int], units: Sequence[int]
    ) -> None:
        """As `add_held`, of many: none of them negative. `numbers`: of the pools' keys; empty: all the first."""
        shards = self._held
        each = [pool_keys[number] for number in numbers] or repeat(pool_keys[0], len(customers))
        for customer, pool_key, more in zip(customers, each, units, strict=True):
            key = customer + pool_key
            shard = shards[customer[0]]
            shard[key] = shard.get(key, 0) + more

    def add_held(self, customer: bytes, pool_key: bytes, units: int) -> None:
        """`units` may be negative; InvariantViolatedError if the count would be. A count of 0 is removed."""
        key = customer + pool_key
        shard = self._held[customer[0]]
        units += shard.get(key, 0)
        if units > 0:
            shard[key] = units
        elif not units:
            del shard[key]
        else:
            _refuse(key, units)

    def add_sold(self, customer: bytes, pool_key: bytes, units: int) -> None:
        """As `add_held`."""
        key = customer + pool_key
        record = self.sold.get(key)
        units += _units(record)
        if units < 0:
            _refuse(key, units)
        if record is None:
            if units:
                self.sold.append(key + units.to_bytes(4, "big"))
        elif units:
            self.sold.replace(key + units.to_bytes(4, "big"))
        else:
            self.sold.cut(key)

    def dump_held(self) -> Iterator[bytes]:
        """Records of customer, pool key and units held, many at a time."""
        pack = _HELD_UNITS.pack
        return gather(b"".join(pack(*item) for item in some) for some in _items(self._held))

    def load_held(self, records: bytes) -> None:
        """What `dump_held` gave."""
        held = self._held
        for key, units in _HELD_UNITS.iter_unpack(records):
            held[key[0]][key] = units

    def __iter__(self) -> Iterator[tuple[bytes, bytes, int, int]]:
        """(customer, pool key, held, sold), in no order that means anything."""
        for shard in each(self._held):
            for key, units in shard.items():
                yield key[:CUSTOMER_BYTES], key[CUSTOMER_BYTES:], units, _units(self.sold.get(key))
        for record in self.sold:
            key = record[:_UNITS]
            if key not in self._held[key[0]]:
                yield key[:CUSTOMER_BYTES], key[CUSTOMER_BYTES:], 0, _units(record)


def _units(record: bytes | None) -> int:
    return 0 if record is None else int.from_bytes(record[_UNITS:], "big")


def _exists(hold: bytes) -> NoReturn:
    message = f"reservation {hold.hex()} exists"
    raise InvariantViolatedError(message)


def _refuse(key: bytes, units: int) -> NoReturn:
    message = f"customer {key[:CUSTOMER_BYTES].hex()} would have {units} units of a pool"
    raise InvariantViolatedError(message)
