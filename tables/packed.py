"""A hash table of fixed-width records in bytearrays: about 20 bytes of overhead a record instead of 200.

Linear hashing (Litwin 1980): the table grows by splitting one small bucket at a time, so there is no pause at any
size (a dict of 6 M entries stops for 440 ms when it resizes). A bucket is a bytearray of whole records, each starting
with its key; bytearray.find is the search. Buckets are chosen by Python's own hash of the key, which differs from
process to process: no order of this table may ever mean anything.
"""

from collections.abc import Iterator

from tables.gather import gather

BUCKET_BYTES = 512
"""On average: searched in 0.2 us. List slot, object and allocator take about 80 bytes a bucket."""

_MARKS_FIRST = 1 << 16
MARKS_PER_KEY = 2
"""At the end of a round, when there are fewest: four at its beginning. A quarter to two fifths of them are set."""


class PackedTable:
    """Records of `width` bytes whose first `key` bytes are unique in the table (the caller sees to it).

    `marks[hash(key) & mask]` is 0 for most keys that are not in the table, 1 for all that are: one byte read, by
    callers in a hurry before they call.
    """

    __slots__ = (
        "_buckets",
        "_capacity",
        "_high",
        "_key",
        "_low",
        "_next",
        "_next_mask",
        "_per_bucket",
        "_records",
        "_split",
        "_width",
        "marks",
        "mask",
    )

    def __init__(self, key: int, width: int) -> None:
        self._key = key
        self._width = width
        self._buckets = [bytearray()]
        self._low = 0
        """Mask of the buckets that are not split yet in this round; `_high` is that of those that are."""
        self._high = 1
        self._split = 0
        self._records = 0
        self._per_bucket = BUCKET_BYTES // width
        self._capacity = self._per_bucket
        self._mark(bytearray(_MARKS_FIRST))

    def _mark(self, marks: bytearray) -> None:
        """A round begins: `marks` are of all records, and those of the next round are made beside them.

        They are complete when it ends, for each bucket is split once in it. So no mark is ever of another key than its
        place says, and nothing waits for all of them to be made anew.
        """
        self.marks, self.mask = marks, len(marks) - 1
        room = 4 * (self._low + 1) * self._per_bucket * MARKS_PER_KEY
        self._next = marks if len(marks) >= room else bytearray(1 << (room - 1).bit_length())
        self._next_mask = len(self._next) - 1

    def find(self, key: bytes) -> tuple[bytearray, int] | None:
        """The bucket that has the key's record, and where in it the record starts."""
        if not self.marks[hash(key) & self.mask]:
            return None
        bucket = self._bucket(key)
        at = bucket.find(key)
        while at > 0 and at % self._width:
            at = bucket.find(key, at + 1)
        return None if at < 0 else (bucket, at)

    def _bucket(self, key: bytes) -> bytearray:
        number = hash(key)
        place = number & self._low
        if place < self._split:
            place = number & self._high
        return self._buckets[place]

    def append(self, record: bytes) -> None:
        """A record of a key that the table does not have."""
        place = hash(record[: self._key])
        number = place & self._low
        if number < self._split:
            number = place & self._high
        self._buckets[number] += record
        self.marks[place & self.mask] = 1
        self._next[place & self._next_mask] = 1
        self._records += 1
        if self._records > self._capacity:
            self._grow()

    def cut(self, bucket: bytearray, place: int) -> None:
        """Remove the record at `place`."""
        del bucket[place : place + self._width]
        self._records -= 1

    def reserve(self, records: int) -> None:
        """Room for so many in a table that is still empty: no bucket is split while they come."""
        buckets = max(1, -(-records // self._per_bucket))
        bit = 1 << buckets.bit_length() - 1
        self._low, self._high = bit - 1, bit * 2 - 1
        self._split = buckets - bit
        self._buckets = [bytearray() for _ in range(buckets)]
        self._capacity = buckets * self._per_bucket
        room = 2 * bit * self._per_bucket * MARKS_PER_KEY
        self._mark(bytearray(max(_MARKS_FIRST, 1 << (room - 1).bit_length())))

    def dump(self) -> Iterator[bytes]:
        """All records, many at a time, in no order that means anything."""
        return gather(self._buckets)

    def load(self, records: bytes) -> None:
        """What `dump` gave, into a table that has none of it."""
        width = self._width
        append = self.append
        for at in range(0, len(records), width):
            append(records[at : at + width])

    def __iter__(self) -> Iterator[bytes]:
        """All records as they are, in no order that means anything."""
        width = self._width
        for bucket in self._buckets:
            for at in range(0, len(bucket), width):
                yield bytes(bucket[at : at + width])

    def __len__(self) -> int:
        return self._records

    def _grow(self) -> None:
        old = bytes(self._buckets[self._split])
        bit = self._low + 1
        kept, moved = bytearray(), bytearray()
        key, width, marks, mask = self._key, self._width, self._next, self._next_mask
        for at in range(0, len(old), width):
            place = hash(old[at : at + key])
            marks[place & mask] = 1
            if place & bit:
                moved += old[at : at + width]
            else:
                kept += old[at : at + width]
        self._buckets[self._split] = kept
        self._buckets.append(moved)
        self._capacity += self._per_bucket
        self._split += 1
        if self._split == bit:
            self._split = 0
            self._low = self._high
            self._high = self._high << 1 | 1
            self._mark(self._next)
