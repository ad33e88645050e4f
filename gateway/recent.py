"""A bounded memory of what was lately put in: two generations of a dict, the older one dropped whole."""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Remembers each key at least until `half_max` others were put in, and no more than twice as many.

    No entry costs more than a dict's; nothing is ever searched for what is old.
    """

    __slots__ = ("_half_max", "_new", "_old")

    def __init__(self, half_max: int) -> None:
        self._half_max = half_max
        self._new: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def put(self, key: K, value: V) -> None:
        """Remember, in place of what was remembered for this key."""
        if len(self._new) >= self._half_max:
            self._old, self._new = self._new, {}
        self._new[key] = value

    def get(self, key: K) -> V | None:
        """What was last put in for this key, None if nothing or if it is too long ago."""
        value = self._new.get(key)
        return self._old.get(key) if value is None else value

    def drop(self, key: K) -> None:
        """Forget this key."""
        self._new.pop(key, None)
        self._old.pop(key, None)
