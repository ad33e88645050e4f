"""Remembered refusals in their compact form: 37 bytes each and 16 to 32 of slots, forgotten a generation at a time.

A hash table with chains: refusals are numbered as they come and stand in columns; a slot, chosen by Python's hash of
the key, has a link to its last refusal, and beside each refusal stands the link to the one before it in its slot.

A link is 23 bits of a number and 7 marks: each key sets two of them, in the links to it and to what came after it in
its slot (Bloom 1970). So to look into one slot is all that most new keys cost, also where the slot is taken: a memory
access takes longer than the work.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import combinations
from operator import itemgetter
from struct import Struct
from sys import byteorder

from domain.ids import FINGERPRINT_BYTES, HOLD_ID_BYTES
from domain.outcomes import InvariantViolatedError
from domain.refusals import Refusal
from tables.gather import SHARD_BYTES

_OFFSET_BYTES = 5
"""170 years at 200 records a second."""
_OUTCOME_BITS = 7
_RECORD = Struct(f">{HOLD_ID_BYTES}s{FINGERPRINT_BYTES}s{_OFFSET_BYTES}sH")
"""In a dump: hold, fingerprint, offset, then position (9 bits: 0..499) and outcome."""
WIDTH = _RECORD.size
_AT_ONCE = SHARD_BYTES // WIDTH
_SLOTS_PER_KEY = 4
_SLOTS_FEW = 1 << 17
"""512 KiB, room for 32,768 refusals: most partitions never have more."""
_SLOTS_MANY = 1 << 22
"""16 MiB, room for a million."""
_LOW = (1 << 23) - 1
"""Links have the low 23 bits of a number: no rules let more be remembered at a time."""
_MARKS = 7
"""With them a link has 30 bits: Python takes twice the time for more."""
_ALL_MARKS = (1 << _MARKS) - 1
_LINK = _LOW << _MARKS | _ALL_MARKS
_PAIRS = (bytes(1 << one | 1 << other for one, other in combinations(range(_MARKS), 2)) * 13)[:256]
"""A key's marks, by a byte of its hash."""
_PAIR_BYTE = 5 if byteorder == "little" else 2
"""Of the eight of a hash: far above the bits that choose a slot."""
_NOTHING: tuple[Sequence[bytes], list[int], bytes, list[int]] = (), [], b"", []


class _Generation:
    """Refusals from number `first` on, a column each for what they consist of. `before`: the chain."""

    __slots__ = ("before", "fingerprints", "first", "holds", "number", "offsets", "outcomes", "positions")

    def __init__(self, number: int, first: int) -> None:
        self.number = number
        self.first = first
        self.holds = bytearray()
        self.fingerprints = bytearray()
        self.outcomes = bytearray()
        self.offsets = bytearray()
        self.positions = array("H")
        self.before = array("I")

    def columns(self, at: int, end: int) -> Iterator[tuple[bytes, bytes, bytes, int, int]]:
        """(hold, fingerprint, offset, position, outcome) of its refusals [at, end)."""
        return zip(
            _cells(self.holds, HOLD_ID_BYTES, at, end),
            _cells(self.fingerprints, FINGERPRINT_BYTES, at, end),
            _cells(self.offsets, _OFFSET_BYTES, at, end),
            self.positions[at:end],
            self.outcomes[at:end],
            strict=True,
        )


def _cells(column: bytearray, width: int, at: int, end: int) -> Iterator[bytes]:
    part = bytes(column[at * width : end * width])
    return (part[place : place + width] for place in range(0, len(part), width))


class RefusalTable:
    """domain.refusals.Refusals."""

    __slots__ = ("_asked", "_firsts", "_generations", "_heads", "_next", "count")

    def __init__(self) -> None:
        self._heads = array("I", bytes(_SLOTS_FEW * 4))
        self._generations: deque[_Generation] = deque()
        self._firsts: list[int] = []
        self._next = 1
        """Number of the next refusal: that of a slot that nothing was put into, 0, is no refusal's."""
        self._asked = _NOTHING
        """The tuple that `known` was asked for last, its slots, and the answer, while nothing has come or gone."""
        self.count = 0

    def turn(self, number: int, keep: int) -> None:
        """Log time is in generation `number` (numbers never go back); forget all but the `keep` newest numbers."""
        generations = self._generations
        if generations and generations[-1].number == number:
            return
        generations.append(_Generation(number, self._next))
        while generations[0].number <= number - keep:
            generations.popleft()
        self._firsts = [generation.first for generation in generations]
        self.count = self._next - self._firsts[0]
        self._asked = _NOTHING

    def get(self, hold: bytes) -> Refusal | None:
        """The remembered one, if there is one."""
        (slot,), (pair,) = self._slots((hold,))
        number = self._find(hold, pair, self._heads[slot])
        if not number:
            return None
        generation = self._generations[bisect_right(self._firsts, number) - 1]
        at = number - generation.first
        (columns,) = generation.columns(at, at + 1)
        return _refusal(columns)

    def known(self, holds: Sequence[bytes]) -> list[int]:
        """Places of those that are remembered."""
        if not self.count:
            return []
        slots, pairs = self._slots(holds)
        links = itemgetter(*slots, 0)(self._heads)  # at once: several memory accesses are on their way together
        known = [
            at
            for at, link, pair in zip(range(len(slots)), links, pairs, strict=False)
            if link & pair == pair and self._find(holds[at], pair, link)
        ]
        self._asked = (holds, slots, pairs, known) if type(holds) is tuple else _NOTHING
        return known

    def _slots(self, holds: Sequence[bytes]) -> tuple[list[int], bytes]:
        """Of each key its slot and its marks."""
        last, codes = len(self._heads) - 1, [*map(hash, holds)]
        return [code & last for code in codes], array("q", codes).tobytes()[_PAIR_BYTE::8].translate(_PAIRS)

    def _find(self, hold: bytes, pair: int, link: int) -> int:
        """The number of its refusal, 0 if there is none. `link`: to the newest in its slot; then come older ones."""
        number, generations, firsts = self._next, self._generations, self._firsts
        oldest = number - self.count
        while link & pair == pair:
            number -= (number - (link >> _MARKS) - 1 & _LOW) + 1  # the last one before this with these bits
            if number < oldest:
                return 0
            generation = generations[bisect_right(firsts, number) - 1]
            at = number - generation.first
            if generation.holds.startswith(hold, at * HOLD_ID_BYTES):
                return number
            link = generation.before[at]
        return 0

    def add_all(
        self,
        holds: Sequence[bytes],
        outcomes: Sequence[int],
        fingerprints: Sequence[bytes],
        offset: int,
        positions: Sequence[int],
    ) -> None:
        """As `add`, of many."""
        asked, slots, pairs, known = self._asked
        if holds is not asked:
            (slots, pairs), known = self._slots(holds), self.known(holds)
        if known or len(set(holds)) < len(holds):
            message = f"one of {len(holds)} refusals from {holds[0].hex()} on is remembered already"
            raise InvariantViolatedError(message)
        offsets = offset.to_bytes(_OFFSET_BYTES, "big") * len(holds)
        self._append(holds, slots, pairs, outcomes, fingerprints, offsets, positions)

    def _append(
        self,
        holds: Sequence[bytes],
        slots: Sequence[int],
        pairs: bytes,
        outcomes: Sequence[int],
        fingerprints: Sequence[bytes],
        offsets: bytes,
        positions: Sequence[int],
    ) -> None:
        newest, keys, prints = self._generations[-1], b"".join(holds), b"".join(fingerprints)
        if len(keys) != HOLD_ID_BYTES * len(holds) or len(prints) != FINGERPRINT_BYTES * len(holds):
            message = f"holds or fingerprints of another width from {holds[0].hex()} on"
            raise InvariantViolatedError(message)
        newest.holds += keys
        newest.fingerprints += prints
        newest.outcomes += bytes(outcomes)
        newest.offsets += offsets
        newest.positions.extend(positions)
        heads, before = self._heads, newest.before.append
        first, oldest = self._next << _MARKS & _LINK, self._next - self.count << _MARKS & _LINK
        floor = oldest if oldest <= first else 0  # of marks of what is forgotten, some may stay
        for link, slot, pair in zip(
            range(first, first + (len(slots) << _MARKS), 1 << _MARKS), slots, pairs, strict=True
        ):
            old = heads[slot]
            before(old)
            heads[slot] = link | pair | (old & _ALL_MARKS if old >= floor else 0)
        self._next += len(holds)
        self.count += len(holds)
        self._asked = _NOTHING
        self.reserve(self.count)

    def add(self, hold: bytes, outcome: int, fingerprint: bytes, offset: int, position: int) -> None:
        """Remember; the caller keeps to the limit on `count`. InvariantViolatedError if one is remembered."""
        self.add_all((hold,), (outcome,), (fingerprint,), offset, (position,))

    def reserve(self, refusals: int) -> None:
        """Slots for so many: few, then many, then twice as many.

        Growth repeats the slots (a key's slot keeps its low bits), so that their copies share the chains so far: one
        copy of memory, 20 ms for the largest, 128 MiB. Until these are forgotten, new keys find more in theirs than
        they should: hence one large step, early, instead of many.
        """
        while (slots := len(self._heads)) < refusals * _SLOTS_PER_KEY:
            self._heads *= max(2, _SLOTS_MANY // slots)

    def dump(self) -> Iterator[tuple[int, bytes]]:
        """(generation, its records), many at a time, the oldest generation first, each at least once."""
        for generation in self._generations:
            yield generation.number, b""
            for at in range(0, len(generation.outcomes), _AT_ONCE):
                yield (
                    generation.number,
                    b"".join(
                        _RECORD.pack(hold, fingerprint, offset, position << _OUTCOME_BITS | outcome)
                        for hold, fingerprint, offset, position, outcome in generation.columns(at, at + _AT_ONCE)
                    ),
                )

    def load(self, number: int, records: bytes) -> None:
        """What `dump` gave, in its order, into a table that has none of it. No generation is forgotten meanwhile."""
        self.turn(number, number + 1)
        if records:
            holds, fingerprints, offsets, tails = zip(*_RECORD.iter_unpack(records), strict=True)
            outcomes = [tail & (1 << _OUTCOME_BITS) - 1 for tail in tails]
            positions = [tail >> _OUTCOME_BITS for tail in tails]
            self._append(holds, *self._slots(holds), outcomes, fingerprints, b"".join(offsets), positions)

    def __iter__(self) -> Iterator[Refusal]:
        """In no order that means anything."""
        for generation in self._generations:
            yield from map(_refusal, generation.columns(0, len(generation.outcomes)))


def _refusal(columns: tuple[bytes, bytes, bytes, int, int]) -> Refusal:
    hold, fingerprint, offset, position, outcome = columns
    return Refusal(hold, outcome, fingerprint, int.from_bytes(offset, "big"), position)
