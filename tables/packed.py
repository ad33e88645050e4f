"""A hash table of fixed-width records in bytes: about 15 bytes of overhead a record instead of 200.

Linear hashing (Litwin 1980): the table grows by splitting one small bucket at a time, not all at once (a dict of 6 M
entries stops for 440 ms when it resizes). A bucket is the bytes of whole records, each starting with its key;
bytes.find is the search.

In front of the buckets stand marks: each key sets two bits of one byte (Bloom 1970). Most keys that are asked for are
new, and are known to be so without a search. Of a large table all that is touched then lies in memory far from the
processor, so it is one byte of one array, and a batch's bytes are taken in one call: it waits for several at a time.
The marks double when all buckets are split, by repetition, and each pair of buckets gets its own anew at its split:
a copy of memory, 10 ms at two to three million records, 30 at twice that.

Buckets and marks are chosen by Python's own hash of the key, which differs from process to process: no order of this
table may ever mean anything.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from operator import itemgetter

from tables.gather import gather

BUCKET_BYTES_MAX = 400
PER_BUCKET_MAX = 12
"""On average. Small enough for Python's own allocator (512 bytes). Object and list slot take 50 bytes a bucket."""
_PAIR_BIT = 40
"""Far above the bits that choose a bucket and a mark."""
_PAIRS = [1 << one | 1 << other for one, other in combinations(range(8), 2)]
_PAIRS += _PAIRS[:4]
"""Two bits of a byte, by five bits of a hash. With three keys in eight marks, 1.5 % of new keys find theirs set."""


class PackedTable:
    """Records of `width` bytes whose first `key` bytes are unique in the table (the caller sees to it)."""

    __slots__ = (
        "_answer",
        "_asked",
        "_buckets",
        "_capacity",
        "_high",
        "_key",
        "_low",
        "_marks",
        "_marks_bits",
        "_per_bucket",
        "_records",
        "_split",
        "_width",
    )

    def __init__(self, key: int, width: int) -> None:
        self._key = key
        self._width = width
        self._per_bucket = min(PER_BUCKET_MAX, BUCKET_BYTES_MAX // width)
        self._marks_bits = self._per_bucket.bit_length() + 1
        """Low bits of a hash that choose one of a bucket's marks; the bits above them choose the bucket."""
        self._records = 0
        self._asked: Sequence[bytes] | None = None
        """What `places` was last asked for, as long as no key has come or gone since."""
        self._answer: list[int] = []
        self.reserve(0)

    def reserve(self, records: int) -> None:
        """Room for so many in a table that is still empty: no bucket is split while they come."""
        buckets = max(1, -(-records // self._per_bucket))
        bit = 1 << buckets.bit_length() - 1
        self._low = bit - 1
        """Mask of the buckets that are not split yet in this round; `_high` is that of those that are, and of marks."""
        self._high = bit * 2 - 1
        self._split = buckets - bit
        self._buckets = [b""] * buckets
        self._marks = bytearray(bit * 2 << self._marks_bits)
        self._capacity = buckets * self._per_bucket

    def get(self, key: bytes) -> bytes | None:
        """The key's record, if there is one."""
        number, at = self._find(key)
        return None if at < 0 else self._buckets[number][at : at + self._width]

    def places(self, keys: Sequence[bytes]) -> list[int]:
        """Places of the keys that have a record. To ask for the very same tuple again costs nothing."""
        if not self._records:
            return []
        if keys is self._asked:
            return self._answer
        marks, last, pairs = self._marks, len(self._marks) - 1, _PAIRS
        codes = [*map(hash, keys)]
        taken = itemgetter(0, 0, *[code & last for code in codes])(marks)  # of fewer than two it gives no tuple
        found = [
            place
            for place, mark in enumerate(taken[2:])
            if mark
            and mark & (pair := pairs[codes[place] >> _PAIR_BIT & 31]) == pair
            and self._find(keys[place])[1] >= 0
        ]
        self._asked, self._answer = keys if type(keys) is tuple else None, found
        return found

    def append(self, record: bytes) -> None:
        """A record of a key that the table does not have."""
        self._asked = None
        code = hash(record[: self._key])
        place = code >> self._marks_bits
        number = place & self._low
        if number < self._split:
            number = place & self._high
        self._buckets[number] += record
        self._marks[code & len(self._marks) - 1] |= _PAIRS[code >> _PAIR_BIT & 31]
        self._records += 1
        if self._records > self._capacity:
            self._grow()

    def replace(self, record: bytes) -> bool:
        """Another content for a key; False if it has no record."""
        number, at = self._find(record[: self._key])
        if at >= 0:
            bucket = self._buckets[number]
            self._buckets[number] = bucket[:at] + record + bucket[at + self._width :]
        return at >= 0

    def cut(self, key: bytes) -> bool:
        """Remove a key's record; False if it has none."""
        self._asked = None
        number, at = self._find(key)
        if at < 0:
            return False
        bucket = self._buckets[number]
        self._buckets[number] = bucket[:at] + bucket[at + self._width :]
        self._mark(number)
        self._records -= 1
        return True

    def _find(self, key: bytes) -> tuple[int, int]:
        """The key's bucket, and where in it its record starts, -1 if it has none."""
        code = hash(key)
        place = code >> self._marks_bits
        number = place & self._low
        if number < self._split:
            number = place & self._high
        pair = _PAIRS[code >> _PAIR_BIT & 31]
        if self._marks[code & len(self._marks) - 1] & pair != pair:
            return number, -1
        bucket = self._buckets[number]
        at = bucket.find(key)
        while at > 0 and at % self._width:
            at = bucket.find(key, at + 1)
        return number, at

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
                yield bucket[at : at + width]

    def __len__(self) -> int:
        return self._records

    def _grow(self) -> None:
        number, buckets = self._split, self._buckets
        old, marks = buckets[number], self._marks
        key, width = self._key, self._width
        bit, size = self._low + 1, 1 << self._marks_bits
        kept, moved = b"", b""
        kept_marks, moved_marks = bytearray(size), bytearray(size)
        for at in range(0, len(old), width):
            code = hash(old[at : at + key])
            if code >> self._marks_bits & bit:
                moved += old[at : at + width]
                moved_marks[code & size - 1] |= _PAIRS[code >> _PAIR_BIT & 31]
            else:
                kept += old[at : at + width]
                kept_marks[code & size - 1] |= _PAIRS[code >> _PAIR_BIT & 31]
        marks[number * size : number * size + size] = kept_marks
        marks[(number + bit) * size : (number + bit) * size + size] = moved_marks
        buckets[number] = kept
        buckets.append(moved)
        self._capacity += self._per_bucket
        self._split += 1
        if self._split == bit:
            self._split = 0
            self._low = self._high
            self._high = self._high << 1 | 1
            self._marks *= 2

    def _mark(self, number: int) -> None:
        """A bucket's marks anew: of its two halves, if it is not split yet."""
        marks, last, width = self._marks, len(self._marks) - 1, self._width
        bit, size = self._low + 1, 1 << self._marks_bits
        is_split = number < self._split or number >= bit
        for half in (number,) if is_split else (number, number + bit):
            marks[half * size : half * size + size] = bytes(size)
        bucket = self._buckets[number]
        for at in range(0, len(bucket), width):
            code = hash(bucket[at : at + self._key])
            marks[code & last] |= _PAIRS[code >> _PAIR_BIT & 31]
