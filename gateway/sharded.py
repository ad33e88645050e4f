"""A dict that is large and grows while somebody waits: a million orders."""

from typing import Generic, TypeVar

from tables.shards import by_byte, each

V = TypeVar("V")


class Sharded(Generic[V]):
    """By keys whose last byte is evenly spread. `shards[key[-1]]` is the dict of a key, for who looks up many."""

    __slots__ = ("shards",)

    def __init__(self) -> None:
        self.shards: list[dict[bytes, V]] = by_byte()

    def __len__(self) -> int:
        return sum(map(len, each(self.shards)))

    def __getitem__(self, key: bytes) -> V:
        return self.shards[key[-1]][key]

    def __setitem__(self, key: bytes, value: V) -> None:
        self.shards[key[-1]][key] = value

    def __delitem__(self, key: bytes) -> None:
        del self.shards[key[-1]][key]

    def get(self, key: bytes) -> V | None:
        """What stands there, None if nothing does."""
        return self.shards[key[-1]].get(key)
