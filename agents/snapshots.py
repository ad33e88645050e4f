"""An owner role's care for its snapshots: as a standby it gives its own state away, as an owner it has one folded.

All writing is another process's: opening a database stops an interpreter for 30 ms, a disk for as long as it likes.
What is done here is to dump shards, a millisecond each, while the machine stands still.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import BinaryIO, cast

from agents.frames import READY, Kind, write_frame
from agents.partition import Partition
from agents.restoring import Archive
from agents.times import wall_ms
from settings import environment_with
from streams.actions import Action
from streams.effects import Role
from streams.logs import Log
from streams.machine import Member, PartitionMachine
from streams.snapshot_metrics import SnapshotMetrics
from tables.snapshot import Picture, encode_meta

LOOK_S = 1.0
AGAIN_S = 60.0
"""After one that came to nothing."""
GIVEN_S = 120.0
"""For one that is given away: 1 to 2 s a million rows on an idle machine, and as long this standby falls behind."""
NICE = 10
"""Of the process that writes: owners and gateways of this machine go first, already while it starts."""
LEAVING_S = 5.0
"""For that process to remove what it has not finished."""
STANDBY_SHARE = 2
"""A standby does it after half as many decisions, so that an owner does not, who shares its data folder."""


class LeftError(Exception):
    """No snapshot this time, and why; the last one is still there."""


class Snapshots:
    """Of one worker, one at a time."""

    def __init__(
        self,
        partitions: Mapping[int, Partition],
        archive: Archive,
        ledger: str,
        me: Member,
        metrics: SnapshotMetrics,
        log: Log,
    ) -> None:
        self._partitions = partitions
        self._archive = archive
        self._ledger = ledger
        self._me = me
        self._metrics = metrics
        self._log = log
        self._not_before_s: dict[int, float] = {}

    async def run(self) -> None:
        """For as long as the worker lives."""
        while True:
            await asyncio.sleep(LOOK_S)
            for number in sorted(self._partitions):
                partition = self._partitions.get(number)
                if partition and self._is_due(partition.machine):
                    await self._see_to(partition)

    def _is_due(self, machine: PartitionMachine) -> bool:
        """Whether the tail is long; tells the metrics how long."""
        newest = self._archive.of(machine.partition).newest()
        tail = max(0, machine.accepted.decisions - newest.decisions)
        self._metrics.newest(machine.partition, newest.offset, newest.taken_ms, tail)
        after = self._archive.after // (1 if machine.role is Role.OWNER else STANDBY_SHARE)
        wanted = machine.role in {Role.OWNER, Role.WARM} and 0 < after <= tail
        return wanted and monotonic() >= self._not_before_s.get(machine.partition, 0.0)

    async def _see_to(self, partition: Partition) -> None:
        number, began_s = partition.number, monotonic()
        try:
            if partition.owned:
                await self._fold(number)
            else:
                await self._give(partition)
        except (LeftError, OSError) as error:  # no process to be had, no disk: the last one is still there
            self._not_before_s[number] = monotonic() + AGAIN_S
            self._metrics.left()
            self._log(Action.SNAPSHOT_LEFT, partition=number, reason=str(error))
        else:
            seconds = monotonic() - began_s
            self._metrics.taken(seconds)
            newest = self._archive.of(number).newest()
            took_ms = int(seconds * 1000)
            self._log(Action.SNAPSHOT_TAKEN, partition=number, offset=newest.offset, took_ms=took_ms)

    def _spawn(self, partition: int, source: str) -> "subprocess.Popen[bytes]":
        """A process of its own, never a fork that goes on as this one. It ends when its stdin does."""
        mine = {
            "snapshot_ledger": self._ledger,
            "snapshot_partition": partition,
            "snapshot_from": source,
            "worker": f"{self._me.worker}-snapshot",
            "metrics_port": -1,
        }
        process = subprocess.Popen(
            (sys.executable, "-m", "agents", "snapshot"),
            env=environment_with(mine),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        os.setpriority(os.PRIO_PROCESS, process.pid, NICE)  # there is one to set until somebody waits for its end
        return process

    async def _fold(self, partition: int) -> None:
        """Nobody stands by: another process folds what came since the last snapshot."""
        process = self._spawn(partition, "ledger")
        async with _closing(process):
            await _ended(process)

    async def _give(self, partition: Partition) -> None:
        """This worker stands by: its state goes to another process, which keeps it."""
        process = self._spawn(partition.number, "worker")
        try:
            async with asyncio.timeout(GIVEN_S):
                await self._give_to(process, partition)
        except TimeoutError as error:
            message = f"the process that keeps it took longer than {GIVEN_S:.0f} s"
            raise LeftError(message) from error

    async def _give_to(self, process: "subprocess.Popen[bytes]", partition: Partition) -> None:
        async with _closing(process) as (pipe, said):
            if await asyncio.to_thread(said.readline) != READY:
                await _ended(process)
            if not partition.machine.standstill.begin():
                message = "there is something better to do"
                raise LeftError(message)
            try:
                await self._dump(partition.machine, pipe)
            except OSError as error:
                message = f"the process that keeps it is gone: {error}"
                raise LeftError(message) from error
            finally:
                partition.machine.standstill.end()
                if self._partitions.get(partition.number) is partition:
                    partition.flush()
            await _ended(process)

    async def _dump(self, machine: PartitionMachine, pipe: BinaryIO) -> None:
        picture = Picture(machine)
        for value in picture.shards():
            await asyncio.to_thread(write_frame, pipe, Kind.SHARD, value)
            if not picture.stands():
                message = "a takeover came first"
                raise LeftError(message)
        meta = encode_meta(picture.meta(self._me.code, wall_ms()))
        await asyncio.to_thread(write_frame, pipe, Kind.META, meta)
        await asyncio.to_thread(pipe.flush)


@asynccontextmanager
async def _closing(process: "subprocess.Popen[bytes]") -> AsyncIterator[tuple[BinaryIO, BinaryIO]]:
    """Its stdin and stdout. Leaving ends it, if it still runs: when its stdin ends, it clears up and goes."""
    pipes = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    try:
        yield pipes
    finally:
        gone = asyncio.ensure_future(asyncio.to_thread(_see_off, process, *pipes))
        try:
            await asyncio.wait([gone], timeout=LEAVING_S)
        finally:
            process.kill()  # one that hangs, perhaps with a thread of ours at its pipes
        await gone


def _see_off(process: "subprocess.Popen[bytes]", pipe: BinaryIO, said: BinaryIO) -> None:
    with suppress(OSError):
        pipe.close()
    process.wait()
    said.close()


async def _ended(process: "subprocess.Popen[bytes]") -> None:
    """Wait for its end; LeftError unless the snapshot is there."""
    code = await asyncio.to_thread(process.wait)
    if code:
        message = f"the process that keeps it ended with {code}"
        raise LeftError(message)
