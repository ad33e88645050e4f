"""A hash table of fixed-width records in bytearrays: a few bytes of overhead a record instead of about 200.

Linear hashing (Litwin 1980): the table grows by splitting one small bucket at a time, so there is no pause at any
size (a dict of 6 M entries stops for 440 ms when it resizes). A bucket is a bytearray of whole records, each starting
with its key; bytearray.find is the search. Buckets are chosen by Python's own hash of the key, which differs from
process to process: no order of this table may ever mean anything.
"""

from collections.abc import Iterator

RECORDS_PER_BUCKET = 8
"""On average. 8 x 64 bytes: a miss costs 0.15 us; list slot, object and allocator take 80 / 8 = 10 bytes a record."""


class PackedTable:
    """Records of `width` bytes whose first `key` bytes are unique in the table (subclasses see to it)."""

    __slots__ = ("_buckets", "_capacity", "_high", "_key", "_low", "_records", "_split", "_width")

    def __init__(self, key: int, width: int) -> None:
        self._key = key
        self._width = width
        self._buckets = [bytearray()]
        self._low = 0
        """Mask of the buckets that are not split yet in this round; `_high` is that of those that are."""
        self._high = 1
        self._split = 0
        self._records = 0
        self._capacity = RECORDS_PER_BUCKET

    def bucket(self, key: bytes) -> bytearray:
        """Where the record of this key is, if there is one."""
        number = hash(key)
        place = number & self._low
        if place < self._split:
            place = number & self._high
        return self._buckets[place]

    def place(self, bucket: bytearray, key: bytes) -> int:
        """Where in its bucket the key's record starts, -1 if there is none."""
        at = bucket.find(key)
        while at > 0 and at % self._width:
            at = bucket.find(key, at + 1)
        return at

    def append(self, bucket: bytearray, record: bytes) -> None:
        """A record of a key that the table does not have, into the key's bucket."""
        bucket += record
        self._records += 1
        if self._records > self._capacity:
            self._grow()

    def cut(self, bucket: bytearray, place: int) -> None:
        """Remove the record at `place`, the others keep their order."""
        del bucket[place : place + self._width]
        self._records -= 1

    def records(self) -> Iterator[bytes]:
        """All records as they are."""
        width = self._width
        for bucket in self._buckets:
            for at in range(0, len(bucket), width):
                yield bytes(bucket[at : at + width])

    def _grow(self) -> None:
        old = bytes(self._buckets[self._split])
        bit = self._low + 1
        kept, moved = bytearray(), bytearray()
        key, width = self._key, self._width
        for at in range(0, len(old), width):
            if hash(old[at : at + key]) & bit:
                moved += old[at : at + width]
            else:
                kept += old[at : at + width]
        self._buckets[self._split] = kept
        self._buckets.append(moved)
        self._capacity += RECORDS_PER_BUCKET
        self._split += 1
        if self._split == bit:
            self._split = 0
            self._low = self._high
            self._high = self._high << 1 | 1
