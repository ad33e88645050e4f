"""Reservation rows and customers' counts in their compact form."""

from collections.abc import Iterator
from struct import Struct

from domain.ids import CUSTOMER_BYTES, HOLD_ID_BYTES
from domain.outcomes import InvariantViolatedError
from domain.reservation import NO_TERMS, Row
from tables.packed import PackedTable

_ROW = Struct(">17sB8s8sIQQQ")
"""hold, state, customer, fingerprint, terms, then three pairs of 48 + 16 bits: (offset, position), (deadline,
quantity), (moment, returned). 62 bytes for every row, held or sold."""
_COUNT = Struct(">8sII")
_CHANGING = 17
"""Offset of the state in a row; the moment and what was returned are the last eight bytes."""
_LOW = 0xFFFF
_NOBODY = bytes(CUSTOMER_BYTES)


class RowTable(PackedTable):
    """domain.reservation.Rows, 62 bytes a row and about 15 of overhead."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(HOLD_ID_BYTES, _ROW.size)

    def get(self, hold: bytes) -> Row | None:
        """The row, if there is one."""
        bucket = self.bucket(hold)
        at = self.place(bucket, hold)
        return None if at < 0 else _unpack(bucket, at)

    def add(self, row: Row) -> None:
        """A new row; InvariantViolatedError if the hold has one."""
        hold, state, customer, fingerprint, terms, quantity, returned, offset, position, deadline_ms, moment_ms = row
        bucket = self.bucket(hold)
        if self.place(bucket, hold) >= 0:
            message = f"reservation {hold.hex()} exists"
            raise InvariantViolatedError(message)
        record = _ROW.pack(
            hold,
            state,
            customer,
            fingerprint,
            terms,
            offset << 16 | position,
            deadline_ms << 16 | quantity,
            moment_ms << 16 | returned,
        )
        self.append(bucket, record)

    def update(self, hold: bytes, state: int, returned: int, moment_ms: int) -> None:
        """What changes in a row's life; InvariantViolatedError if there is none."""
        bucket, at = self._there(hold)
        bucket[at + _CHANGING] = state
        end = at + _ROW.size
        bucket[end - 8 : end] = (moment_ms << 16 | returned).to_bytes(8, "big")

    def remove(self, hold: bytes) -> None:
        """InvariantViolatedError if there is none."""
        self.cut(*self._there(hold))

    def _there(self, hold: bytes) -> tuple[bytearray, int]:
        bucket = self.bucket(hold)
        at = self.place(bucket, hold)
        if at < 0:
            message = f"reservation {hold.hex()} does not exist"
            raise InvariantViolatedError(message)
        return bucket, at

    def __iter__(self) -> Iterator[Row]:
        """In no order that means anything."""
        return (_unpack(record, 0) for record in self.records())

    def __len__(self) -> int:
        return self._records


def _unpack(data: bytes | bytearray, at: int) -> Row:
    hold, state, customer, fingerprint, terms, receipt, deadline, moment = _ROW.unpack_from(data, at)
    if terms == NO_TERMS:  # a tombstone: nothing was asked, perhaps by nobody in particular
        fingerprint = b""
        customer = b"" if customer == _NOBODY else customer
    return Row(
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
    )


class CountTable(PackedTable):
    """domain.reservation.Counts: 16 bytes a customer and pool, and about 12 of overhead."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(CUSTOMER_BYTES + 4, _COUNT.size)

    def get(self, customer: bytes, pool: int) -> int:
        """0 if there is none."""
        key = customer + pool.to_bytes(4, "big")
        bucket = self.bucket(key)
        at = self.place(bucket, key)
        return 0 if at < 0 else int.from_bytes(bucket[at + 12 : at + 16], "big")

    def add(self, customer: bytes, pool: int, units: int) -> None:
        """`units` may be negative; InvariantViolatedError if the count would be."""
        key = customer + pool.to_bytes(4, "big")
        bucket = self.bucket(key)
        at = self.place(bucket, key)
        if at >= 0:
            units += int.from_bytes(bucket[at + 12 : at + 16], "big")
        if units < 0:
            message = f"customer {customer.hex()} would have {units} units of pool {pool}"
            raise InvariantViolatedError(message)
        if at < 0:
            if units:
                self.append(bucket, key + units.to_bytes(4, "big"))
        elif units:
            bucket[at + 12 : at + 16] = units.to_bytes(4, "big")
        else:
            self.cut(bucket, at)

    def __iter__(self) -> Iterator[tuple[bytes, int, int]]:
        """In no order that means anything."""
        return (_COUNT.unpack(record) for record in self.records())

    def __len__(self) -> int:
        return self._records
