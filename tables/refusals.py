"""Remembered refusals in their compact form: 32 bytes each, forgotten by generation without being searched for."""

from collections import deque
from collections.abc import Iterator

from domain.ids import FINGERPRINT_BYTES, HOLD_ID_BYTES
from domain.outcomes import InvariantViolatedError
from domain.refusals import Refusal
from tables.packed import PackedTable

_TAIL = 7
"""Offset (40 bits: 170 years at 200 records a second), position (9 bits: 0..499) and outcome (7 bits)."""
_FINGERPRINT = HOLD_ID_BYTES + FINGERPRINT_BYTES
WIDTH = _FINGERPRINT + _TAIL
TIDIED_PER_TURN = 16
"""Buckets that each record clears of what is forgotten, in turn; a bucket is also cleared when something is added."""


class RefusalTable(PackedTable):
    """domain.refusals.Refusals. A refusal is live if its offset is in a live generation: at or after `_floor`."""

    __slots__ = ("_floor", "_generations", "_live", "_tidied")

    def __init__(self) -> None:
        super().__init__(HOLD_ID_BYTES, WIDTH)
        self._floor = 0
        self._live = 0
        self._generations: deque[list[int]] = deque()
        """(number, first src, refusals) of each live generation, oldest first."""
        self._tidied = 0

    def turn(self, generation: int, keep: int, src: int) -> None:
        """The record at `src` is of `generation`; forget all but the `keep` newest numbers."""
        generations = self._generations
        if not generations or generations[-1][0] != generation:
            generations.append([generation, src, 0])
            while generations[0][0] <= generation - keep:
                self._live -= generations.popleft()[2]
            self._floor = generations[0][1]
        if self._records > self._live:
            self._tidy()

    def get(self, hold: bytes) -> Refusal | None:
        """The remembered one, if there is one. At most one of a bucket's is live, and it comes after the others."""
        bucket = self.bucket(hold)
        at = self.place(bucket, hold)
        if at < 0:
            return None
        refusal = _unpack(bucket, at)
        return refusal if refusal.offset >= self._floor else None

    def add(self, refusal: Refusal) -> None:
        """Remember; the caller keeps to the limit on `len`. InvariantViolatedError if one is remembered."""
        hold, outcome, fingerprint, offset, position = refusal
        bucket = self.bucket(hold)
        self._clear(bucket)
        if self.place(bucket, hold) >= 0:
            message = f"refusal of {hold.hex()} is remembered already"
            raise InvariantViolatedError(message)
        tail = offset << 16 | position << 7 | outcome
        self.append(bucket, hold + fingerprint + tail.to_bytes(_TAIL, "big"))
        self._live += 1
        self._generations[-1][2] += 1

    def _clear(self, bucket: bytearray) -> None:
        """Records of a bucket stand in the order of their offsets: the forgotten ones come first."""
        floor = self._floor
        end = 0
        while end < len(bucket) and int.from_bytes(bucket[end + _FINGERPRINT : end + WIDTH - 2], "big") < floor:
            end += WIDTH
        if end:
            del bucket[:end]
            self._records -= end // WIDTH

    def _tidy(self) -> None:
        for _ in range(TIDIED_PER_TURN):
            self._tidied += 1
            if self._tidied >= len(self._buckets):
                self._tidied = 0
            self._clear(self._buckets[self._tidied])

    def __iter__(self) -> Iterator[Refusal]:
        """In no order that means anything."""
        refusals = (_unpack(record, 0) for record in self.records())
        return (refusal for refusal in refusals if refusal.offset >= self._floor)

    def __len__(self) -> int:
        return self._live


def _unpack(data: bytes | bytearray, at: int) -> Refusal:
    hold = bytes(data[at : at + HOLD_ID_BYTES])
    fingerprint = bytes(data[at + HOLD_ID_BYTES : at + _FINGERPRINT])
    tail = int.from_bytes(data[at + _FINGERPRINT : at + WIDTH], "big")
    return Refusal(hold, tail & 0x7F, fingerprint, tail >> 16, tail >> 7 & 0x1FF)
