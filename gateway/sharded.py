"""A large dict in 64 parts: one that grows moves all that is in it, and with a million orders everybody waits."""

from typing import Generic, TypeVar

V = TypeVar("V")

SHARDS = 64


class Sharded(Generic[V]):
    """By keys whose last byte is evenly spread. `shards[key[-1]]` is the dict of a key, for who looks up many."""

    __slots__ = ("shards",)

    def __init__(self) -> None:
        parts: list[dict[bytes, V]] = [{} for _ in range(SHARDS)]
        self.shards = parts * (256 // SHARDS)

    def __len__(self) -> int:
        return sum(map(len, self.shards[:SHARDS]))

    def __setitem__(self, key: bytes, value: V) -> None:
        self.shards[key[-1]][key] = value

    def get(self, key: bytes) -> V | None:
        """What stands there, None if nothing does."""
        return self.shards[key[-1]].get(key)

    def drop(self, key: bytes) -> None:
        """KeyError if nothing stands there."""
        del self.shards[key[-1]][key]
