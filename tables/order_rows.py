"""Orders in their compact form: living ones as msgpack (about 350 bytes with key and slot), stubs as packed records.

A living order is asked for a dozen times in a few minutes, a stub hardly ever again, and stubs stay: 50 bytes each, and
about 20 of overhead.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from struct import Struct

import msgspec

from domain.ids import ORDER_ID_BYTES
from domain.order_row import Known, Order, Stub
from domain.orders import Phase
from tables.gather import batches
from tables.packed import PackedTable

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Order).decode
_decode_stub = msgspec.msgpack.Decoder(Stub).decode
_STUB = Struct(f">{ORDER_ID_BYTES}s8s8sQBBII")
"""order, customer, fingerprint, offset and position (48 + 16 bits), phase, goal, version, sequence."""
STUB_BYTES = _STUB.size
_PHASES = tuple(Phase)
_NUMBER = {phase: number for number, phase in enumerate(_PHASES)}
SHARDS = 256
"""Dicts by a random byte of the key: the pause of one dict's growth is divided by 256."""
_SHARD_BYTE = 5
_AT_ONCE = 100
"""Rows that are dumped together: 35 KB, to be loaded in a millisecond."""


class OrderTable:
    """domain.order_row.Rows."""

    __slots__ = ("_early", "_shards", "stubs")

    def __init__(self) -> None:
        self._shards: list[dict[bytes, bytes]] = [{} for _ in range(SHARDS)]
        self._early: dict[bytes, bytes] = {}
        self.stubs = PackedTable(ORDER_ID_BYTES, STUB_BYTES)

    def get(self, order: bytes) -> Known | None:
        """The row or stub, if there is one."""
        packed = self._shards[order[_SHARD_BYTE]].get(order)
        if packed is not None:
            return _decode(packed)
        stub = self.stubs.get(order)
        if stub is not None:
            return _stub(stub)
        early = self._early.get(order)
        return None if early is None else _decode_stub(early)

    def put(self, row: Order) -> None:
        """A new row, or another content for a living one."""
        self._early.pop(row.order, None)
        self._shards[row.order[_SHARD_BYTE]][row.order] = _encode(row)

    def bury(self, stub: Stub) -> None:
        """A stub in place of whatever there was."""
        self._shards[stub.order[_SHARD_BYTE]].pop(stub.order, None)
        if stub.phase is Phase.EARLY:
            self._early[stub.order] = _encode(stub)
            return
        self._early.pop(stub.order, None)
        order, customer, fingerprint, offset, position, phase, goal, version, sequence, _ = stub
        place = offset << 16 | position
        self.stubs.append(
            _STUB.pack(order, customer, fingerprint, place, _NUMBER[phase], _NUMBER[goal], version, sequence)
        )

    def remove(self, order: bytes) -> None:
        """A stub of phase EARLY leaves."""
        del self._early[order]

    def dump(self) -> Iterator[bytes]:
        """Living orders, many at a time: a msgpack list."""
        return _lists(chain.from_iterable(shard.values() for shard in self._shards))

    def dump_early(self) -> Iterator[bytes]:
        """Stubs of phase EARLY, many at a time: a msgpack list."""
        return _lists(self._early.values())

    def __iter__(self) -> Iterator[Known]:
        """In no order that means anything."""
        for shard in self._shards:
            for packed in shard.values():
                yield _decode(packed)
        for early in self._early.values():
            yield _decode_stub(early)
        for record in self.stubs:
            yield _stub(record)

    def __len__(self) -> int:
        return len(self.stubs) + len(self._early) + sum(len(shard) for shard in self._shards)


def _lists(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Rows that are encoded already, as lists of them."""
    return (_encode(some) for some in batches(map(msgspec.Raw, rows), _AT_ONCE))


def _stub(record: bytes) -> Stub:
    order, customer, fingerprint, place, phase, goal, version, sequence = _STUB.unpack(record)
    return Stub(
        order, customer, fingerprint, place >> 16, place & 0xFFFF, _PHASES[phase], _PHASES[goal], version, sequence
    )
