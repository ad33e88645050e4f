"""A filter in front of a table: most keys that are asked for are new, and this says so for the price of one byte read.

One byte a slot, chosen by Python's hash of the key; a quarter of the slots used at most, so that about three of four
new keys are known to be new without a search. Doubling repeats the slots once (a key's slot has the same low bits),
which is one copy of memory: 5 ms for the largest, 32 MiB.
"""

from typing import Final

SLOTS_PER_KEY: Final = 4
_FIRST = 1 << 12


class KeyFilter:
    """`slots[hash(key) & mask]` is 0 for a key that was never added; else the last mark that was put there."""

    __slots__ = ("mask", "slots")

    def __init__(self) -> None:
        self.slots = bytearray(_FIRST)
        self.mask = _FIRST - 1

    def reserve(self, keys: int) -> None:
        """Room for this many keys."""
        while len(self.slots) < keys * SLOTS_PER_KEY:
            self.slots *= 2
            self.mask = len(self.slots) - 1
