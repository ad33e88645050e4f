"""Remembered refusals in their compact form: 32 bytes each, forgotten a generation at a time."""

from collections import deque
from collections.abc import Iterator, Sequence
from struct import Struct

from domain.ids import FINGERPRINT_BYTES, HOLD_ID_BYTES
from domain.outcomes import InvariantViolatedError
from domain.refusals import Refusal
from tables.gather import gather
from tables.marks import room_for

_OFFSET_BYTES = 5
"""170 years at 200 records a second."""
_OUTCOME_BITS = 7
_RECORD = Struct(f">{HOLD_ID_BYTES}s{FINGERPRINT_BYTES}s{_OFFSET_BYTES}sH")
"""hold, fingerprint, offset, then position (9 bits: 0..499) and outcome."""
_pack = _RECORD.pack
WIDTH = _RECORD.size
_WHOLE = Struct(f"{WIDTH}s")
BUCKETS = 1 << 13
"""Per generation, made when first used. At the limit of 8.4 M refusals in five generations a bucket has 205 records
(6.5 KB, searched in about 1 us, only for keys that the filter cannot rule out); dropping them all takes 1 ms."""
_BUCKET_MASK = BUCKETS - 1
_MARKS_FIRST = 1 << 21
"""2 MiB, room for 524,288 refusals; pages that no mark touches cost nothing."""
_MARKS = 250
"""Marks of generations, 1..250. After 250 generations (2 h) a mark is used again: an old one may then
cost a search, never an answer."""


class _Generation:
    __slots__ = ("buckets", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.buckets: list[bytearray | None] = [None] * BUCKETS

    def find(self, hold: bytes) -> bytes | None:
        """The record of a hold."""
        bucket = self.buckets[hash(hold) & _BUCKET_MASK]
        if bucket is None:
            return None
        at = bucket.find(hold)
        while at > 0 and at % WIDTH:
            at = bucket.find(hold, at + 1)
        return None if at < 0 else bytes(bucket[at : at + WIDTH])

    def count(self) -> int:
        """How many there are: 1 ms."""
        return sum(len(bucket) for bucket in self.buckets if bucket) // WIDTH


class RefusalTable:
    """domain.refusals.Refusals. A place has the mark of the last generation that put a key there."""

    __slots__ = ("_generations", "_mark", "_marks", "_mask", "_newest", "_search", "count")

    def __init__(self) -> None:
        self._marks = bytearray(_MARKS_FIRST)
        self._mask = len(self._marks) - 1
        self._generations: deque[_Generation] = deque()
        self._newest: list[bytearray | None] = []
        self.count = 0
        self._mark = 0
        self._search: dict[int, list[_Generation]] = {}
        """By mark, the generations that a key with such a mark may be in: that one and all older, newest first."""

    def turn(self, number: int, keep: int) -> None:
        """Log time is in generation `number` (numbers never go back); forget all but the `keep` newest numbers."""
        generations = self._generations
        if generations and generations[-1].number == number:
            return
        generations.append(_Generation(number))
        self._newest = generations[-1].buckets
        self._mark = number % _MARKS + 1
        while generations[0].number <= number - keep:
            self.count -= generations.popleft().count()
        newest = list(reversed(generations))
        self._search = {each.number % _MARKS + 1: newest[place:] for place, each in enumerate(newest)}

    def get(self, hold: bytes) -> Refusal | None:
        """The remembered one, if there is one."""
        generations = self._search.get(self._marks[hash(hold) & self._mask])
        if generations is None:
            return None
        for generation in generations:
            record = generation.find(hold)
            if record is not None:
                return _unpack(record)
        return None

    def known(self, holds: Sequence[bytes]) -> list[int]:
        """Places of those that are remembered."""
        marks, mask = self._marks, self._mask
        return [at for at, hold in enumerate(holds) if marks[hash(hold) & mask] and self.get(hold) is not None]

    def add_all(
        self,
        holds: Sequence[bytes],
        outcomes: Sequence[int],
        fingerprints: Sequence[bytes],
        offset: int,
        positions: Sequence[int],
    ) -> None:
        """As `add`, of many."""
        self._marks, self._mask = room_for(self.count + len(holds), self._marks)
        marks, mask, mark, newest, search = self._marks, self._mask, self._mark, self._newest, self._search
        at = offset.to_bytes(_OFFSET_BYTES, "big")
        for hold, outcome, fingerprint, position in zip(holds, outcomes, fingerprints, positions, strict=True):
            place = hash(hold)
            slot = place & mask
            if marks[slot] in search and self.get(hold) is not None:
                message = f"refusal of {hold.hex()} is remembered already"
                raise InvariantViolatedError(message)
            marks[slot] = mark
            record = _pack(hold, fingerprint, at, position << _OUTCOME_BITS | outcome)
            bucket = newest[place & _BUCKET_MASK]
            if bucket is None:
                newest[place & _BUCKET_MASK] = bytearray(record)
            else:
                bucket += record
        self.count += len(holds)

    def add(self, hold: bytes, outcome: int, fingerprint: bytes, offset: int, position: int) -> None:
        """Remember; the caller keeps to the limit on `count`. InvariantViolatedError if one is remembered."""
        self.add_all((hold,), (outcome,), (fingerprint,), offset, (position,))

    def dump(self) -> Iterator[tuple[int, bytes]]:
        """(generation, its records), many at a time, the oldest generation first, each at least once."""
        for generation in self._generations:
            yield generation.number, b""
            for records in gather(bucket for bucket in generation.buckets if bucket):
                yield generation.number, records

    def reserve(self, refusals: int) -> None:
        """Room for so many in a table that is still empty."""
        self._marks, self._mask = room_for(refusals, self._marks)

    def load(self, number: int, records: bytes) -> None:
        """What `dump` gave, in its order, into a table that has none of it. No generation is forgotten meanwhile."""
        self.turn(number, number + 1)
        self.count += len(records) // WIDTH
        self._marks, self._mask = room_for(self.count, self._marks)
        marks, mask, mark, newest = self._marks, self._mask, self._mark, self._newest
        for (record,) in _WHOLE.iter_unpack(records):
            place = hash(record[:HOLD_ID_BYTES])
            marks[place & mask] = mark
            bucket = newest[place & _BUCKET_MASK]
            if bucket is None:
                newest[place & _BUCKET_MASK] = bytearray(record)
            else:
                bucket += record

    def __iter__(self) -> Iterator[Refusal]:
        """In no order that means anything."""
        for generation in self._generations:
            for bucket in generation.buckets:
                for at in range(0, len(bucket or b""), WIDTH):
                    yield _unpack(bytes(bucket[at : at + WIDTH]))  # type: ignore[index]  # an empty one has no range


def _unpack(record: bytes) -> Refusal:
    hold, fingerprint, offset, tail = _RECORD.unpack(record)
    outcome = tail & (1 << _OUTCOME_BITS) - 1
    return Refusal(hold, outcome, fingerprint, int.from_bytes(offset, "big"), tail >> _OUTCOME_BITS)
