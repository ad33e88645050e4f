"""Snapshots in the simulation: a worker that stands by takes them now and then, and each life begins with the last.

They have a chance of their own, so that a run without them is what it was. A disk outlives its worker; what was being
written when the worker died is half there.
"""

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from domain.outcomes import InvariantViolatedError
from streams.machine import PartitionMachine
from tables.snapshot import BadSnapshotError, Loading, Meta, Picture, check, check_tip

if TYPE_CHECKING:
    from tests.simulation.worker import Seat

TRY = 0.02
"""Of each clock tick of each seat."""
WRITING_MS = 1_500
TORN = 0.2
KEPT = 2


class Kept(NamedTuple):
    """A snapshot on a disk."""

    meta: Meta
    shards: list[bytes]


class Disk:
    """Of one worker, over all its lives."""

    def __init__(self, seed: str) -> None:
        self._rng = Random(seed)
        self._kept: dict[int, list[Kept]] = {}
        """By place of the part, the newest last."""

    def consider(self, seat: "Seat") -> None:
        """Perhaps begin to write."""
        standstill = seat.machine.standstill
        if self._rng.random() < TRY * seat.world.weather.snapshots and not standstill.on and standstill.begin():
            delay_ms = self._rng.randint(0, WRITING_MS)
            seat.worker.later(delay_ms, self._write, seat, Picture(seat.machine), stream=f"disk{seat.place}")

    def _write(self, seat: "Seat", picture: Picture) -> None:
        """What the state is now, if it is still the one of the picture."""
        if seat.gone:
            return
        if not picture.stands():
            seat.world.count("snapshots left")
            return
        shards = list(picture.shards())
        meta = picture.meta("simulated", seat.world.now_ms)
        seat.machine.standstill.end()
        seat.world.count("snapshots taken")
        if self._rng.random() < TORN:
            shards[self._rng.randrange(len(shards))] += b"torn"
        kept = self._kept.setdefault(seat.place, [])
        kept.append(Kept(meta, shards))
        del kept[:-KEPT]
        seat.settle()

    def restore(self, seat: "Seat") -> None:
        """Begin with the newest one that is whole."""
        kept = self._kept.get(seat.place, [])
        while kept:
            try:
                _load(seat.machine, kept[-1], seat.ledger.records)
            except (BadSnapshotError, InvariantViolatedError):
                seat.world.count("snapshots thrown away")
                kept.pop()
            else:
                seat.world.count("snapshots loaded")
                return


def _load(machine: PartitionMachine, kept: Kept, records: list[tuple[int, bytes]]) -> None:
    meta = kept.meta
    check(meta, machine.fold, machine.partition, machine.log_id)
    check_tip(meta, records[meta.offset][1])
    loading = Loading(meta, machine.fold)
    for shard in kept.shards:
        loading.add(shard)
    machine.restore(loading.head(), loading.state)
