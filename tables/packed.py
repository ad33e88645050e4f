"""A hash table of fixed-width records in bytes: about 20 bytes of overhead a record instead of 200.

Linear hashing (Litwin 1980): the table grows by splitting one small bucket at a time, so there is no pause at any
size (a dict of 6 M entries stops for 440 ms when it resizes). A bucket is the bytes of whole records, each starting
with its key; bytes.find is the search. Beside each bucket stand its tags, a byte of each key's hash: most keys that are
asked for are new, and are known to be so without a search. Buckets and tags are chosen by Python's own hash of the key,
which differs from process to process: no order of this table may ever mean anything.
"""

from collections.abc import Iterator, Sequence

from tables.gather import gather

BUCKET_BYTES_MAX = 400
PER_BUCKET_MAX = 12
"""On average. Small enough for Python's own allocator (512 bytes), and that few tags agree by chance: 3 to 5 %. List
slots, objects and tags take about 100 bytes a bucket."""
_TAG_BIT = 40
"""Far above the bits that choose a bucket."""


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
        "_per_bucket",
        "_records",
        "_split",
        "_tags",
        "_width",
    )

    def __init__(self, key: int, width: int) -> None:
        self._key = key
        self._width = width
        self._buckets = [b""]
        self._tags = [b""]
        self._asked: Sequence[bytes] | None = None
        """What `places` was last asked for, as long as no key has come or gone since."""
        self._answer: list[int] = []
        self._low = 0
        """Mask of the buckets that are not split yet in this round; `_high` is that of those that are."""
        self._high = 1
        self._split = 0
        self._records = 0
        self._per_bucket = min(PER_BUCKET_MAX, BUCKET_BYTES_MAX // width)
        self._capacity = self._per_bucket

    def get(self, key: bytes) -> bytes | None:
        """The key's record, if there is one."""
        number, at = self._find(key)
        return None if at < 0 else self._buckets[number][at : at + self._width]

    def places(self, keys: Sequence[bytes]) -> list[int]:
        """Places of the keys that have a record. To ask for the very same tuple again costs nothing."""
        if keys is self._asked:
            return self._answer
        low, high, split, tags = self._low, self._high, self._split, self._tags
        found = []
        for place, key in enumerate(keys):
            code = hash(key)
            number = code & low
            if number < split:
                number = code & high
            if code >> _TAG_BIT & 0xFF in tags[number] and self._find(key)[1] >= 0:
                found.append(place)
        self._asked, self._answer = keys if type(keys) is tuple else None, found
        return found

    def append(self, record: bytes) -> None:
        """A record of a key that the table does not have."""
        self._asked = None
        code = hash(record[: self._key])
        number = code & self._low
        if number < self._split:
            number = code & self._high
        self._buckets[number] += record
        self._tags[number] += _BYTES[code >> _TAG_BIT & 0xFF]
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
        bucket, tags, place = self._buckets[number], self._tags[number], at // self._width
        self._buckets[number] = bucket[:at] + bucket[at + self._width :]
        self._tags[number] = tags[:place] + tags[place + 1 :]
        self._records -= 1
        return True

    def _find(self, key: bytes) -> tuple[int, int]:
        """The key's bucket, and where in it its record starts, -1 if it has none."""
        code = hash(key)
        number = code & self._low
        if number < self._split:
            number = code & self._high
        if code >> _TAG_BIT & 0xFF not in self._tags[number]:
            return number, -1
        bucket = self._buckets[number]
        at = bucket.find(key)
        while at > 0 and at % self._width:
            at = bucket.find(key, at + 1)
        return number, at

    def reserve(self, records: int) -> None:
        """Room for so many in a table that is still empty: no bucket is split while they come."""
        buckets = max(1, -(-records // self._per_bucket))
        bit = 1 << buckets.bit_length() - 1
        self._low, self._high = bit - 1, bit * 2 - 1
        self._split = buckets - bit
        self._buckets = [b""] * buckets
        self._tags = [b""] * buckets
        self._capacity = buckets * self._per_bucket

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
        old, tags = self._buckets[self._split], self._tags[self._split]
        bit = self._low + 1
        key, width = self._key, self._width
        kept, moved = b"", b""
        kept_tags, moved_tags = bytearray(), bytearray()
        for at, tag in zip(range(0, len(old), width), tags, strict=True):
            if hash(old[at : at + key]) & bit:
                moved += old[at : at + width]
                moved_tags.append(tag)
            else:
                kept += old[at : at + width]
                kept_tags.append(tag)
        self._buckets[self._split] = kept
        self._tags[self._split] = bytes(kept_tags)
        self._buckets.append(moved)
        self._tags.append(bytes(moved_tags))
        self._capacity += self._per_bucket
        self._split += 1
        if self._split == bit:
            self._split = 0
            self._low = self._high
            self._high = self._high << 1 | 1


_BYTES = [bytes((byte,)) for byte in range(256)]
