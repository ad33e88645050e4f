"""A machine with a small history, and its snapshot in memory."""

from pathlib import Path

from streams.machine import PartitionMachine
from tables.generations import Generations
from tables.snapshot import Loading, Meta, Picture
from tests.streams.hand import Hand, Logs


def sale(buyers: int = 5, units: int = 3) -> tuple[Logs, Hand]:
    """A sale with an owner, and a standby that has folded all of it."""
    logs = Logs()
    logs.open_sale(units=units)
    for buyer in range(1, buyers + 1):
        logs.reserve(buyer)
    Hand(logs, "w1").warm().own().run()
    return logs, Hand(logs, "w2").warm()


def taken(machine: PartitionMachine, code: str = "1") -> tuple[Meta, list[bytes]]:
    """Its snapshot."""
    picture = Picture(machine)
    shards = list(picture.shards())
    return picture.meta(code, 1), shards


def loaded(machine: PartitionMachine, meta: Meta, shards: list[bytes]) -> Loading:
    """What comes of it in another process."""
    loading = Loading(meta, machine.fold)
    for shard in shards:
        loading.add(shard)
    return loading


def written(folder: Path, meta: Meta, shards: list[bytes]) -> Generations:
    """Put down in a folder."""
    generations = Generations(folder)
    writing = generations.write()
    assert writing is not None
    with writing:
        for shard in shards:
            writing.put(shard)
        writing.finish(meta)
    return generations
