"""Begins a partition with its last snapshot instead of at the ledger's first record, if there is one to be trusted."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from domain.outcomes import InvariantViolatedError
from streams.actions import Action
from streams.logs import Log
from streams.machine import PartitionMachine
from streams.slices import Slices
from streams.snapshot_metrics import SnapshotMetrics
from tables.generations import Generations, of_partition
from tables.snapshot import BadSnapshotError, Loading, Meta, OtherVersionError, check, check_tip

LedgerRecord = Callable[[int, int], Awaitable[bytes | None]]
"""The ledger record of a partition at an offset, None if the log does not have it. KafkaError, TimeoutError."""


class Archive:
    """Where the snapshots of one ledger lie; `after` as in WorkerSettings.snapshot_after."""

    def __init__(self, data_dir: Path, namespace: str, ledger: str, after: int) -> None:
        self.after = after
        self._place = data_dir, namespace, ledger

    def of(self, partition: int) -> Generations:
        """The snapshots of one partition."""
        return of_partition(*self._place, partition)


class Restorer:
    """`busy`: whether this process owns anything that loading could disturb."""

    def __init__(
        self, archive: Archive, record: LedgerRecord, busy: Callable[[], bool], metrics: SnapshotMetrics, log: Log
    ) -> None:
        self._archive = archive
        self._record = record
        self._busy = busy
        self._metrics = metrics
        self._log = log
        self._loaded: dict[int, str] = {}

    async def restore(self, machine: PartitionMachine, *, afresh: bool = False) -> None:
        """Try the newest first. `afresh`: the one that was loaded last did not fit the ledger, use none."""
        generations = self._archive.of(machine.partition)
        loaded = self._loaded.pop(machine.partition, "")
        if afresh:
            if loaded:
                await self._discard(machine, generations, loaded, "the ledger does not go on from it")
            return
        if not self._archive.after:
            return
        for name, meta, problem in generations.found():
            began_s = monotonic()
            try:
                if meta is None:
                    raise problem or BadSnapshotError
                await self._load(machine, generations, name, meta)
            except OtherVersionError as error:
                self._log(Action.SNAPSHOT_SKIPPED, partition=machine.partition, problem=str(error))
            except BadSnapshotError as error:
                await self._discard(machine, generations, name, str(error))
            else:
                seconds = monotonic() - began_s
                self._loaded[machine.partition] = name
                self._metrics.load.observe(seconds)
                took_ms = int(seconds * 1000)
                self._log(Action.SNAPSHOT_LOADED, partition=machine.partition, offset=meta.offset, took_ms=took_ms)
                return

    async def _load(self, machine: PartitionMachine, generations: Generations, name: str, meta: Meta) -> None:
        check(meta, machine.fold, machine.partition, machine.log_id)
        check_tip(meta, await self._record(machine.partition, meta.offset))
        loading = Loading(meta, machine.fold)
        slices = Slices()
        with generations.reading(name) as reading:
            for number in range(meta.shards):
                loading.add(reading.shard(number))
                await slices.pause(share=self._busy())
        try:
            machine.restore(loading.head(), loading.state)
        except InvariantViolatedError as error:
            raise BadSnapshotError(str(error)) from error

    async def _discard(self, machine: PartitionMachine, generations: Generations, name: str, problem: str) -> None:
        try:
            why_not = "" if await asyncio.to_thread(generations.discard, name) else "another process is writing there"
        except OSError as error:
            why_not = str(error)
        if why_not:
            self._log(Action.SNAPSHOT_SKIPPED, partition=machine.partition, problem=f"{problem}; {why_not}")
        else:
            self._metrics.discarded.inc()
            self._log(Action.SNAPSHOT_DISCARDED, partition=machine.partition, problem=problem)
