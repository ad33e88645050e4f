"""The snapshot role: puts one partition's state down, and exits. It owns nothing, so it may take its time.

It takes the state from a standby over its stdin, or folds the ledger itself from the last snapshot on. Either way it
ends as soon as its stdin does: whoever wanted the snapshot is gone.
"""

import select
import sys
from collections.abc import Callable
from functools import partial
from random import SystemRandom
from typing import Any

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from agents import exits
from agents.frames import READY, Kind, read_frame
from agents.lookup import Lookup
from agents.program import Program, begin
from agents.rebuild import Rebuilder
from agents.restoring import Archive, Restorer
from agents.times import wall_ms
from settings import SnapshotSettings
from streams import kafka
from streams.actions import Action
from streams.effects import Alarm, Rebuild, Role
from streams.fold import Fold
from streams.logs import Log, set_up_logging
from streams.machine import PartitionMachine
from streams.metrics import ProcessMetrics
from streams.snapshot_metrics import SnapshotMetrics
from streams.topics import Ledger, LedgerTopics, named
from tables.generations import Generations
from tables.orders import OrderFold
from tables.snapshot import BadSnapshotError, Picture, decode_meta
from tables.stock import StockFold

NAME = "snapshot"
FOLDS: dict[Ledger, Callable[[], Fold[Any]]] = {Ledger.STOCK: StockFold, Ledger.ORDER: OrderFold}


def run(settings: SnapshotSettings) -> int:
    """Until the snapshot is there, or cannot be: STOPPED, or another exit code (agents/exits.py)."""
    archive = Archive(settings.data_dir, settings.namespace, settings.snapshot_ledger, 1)
    if settings.snapshot_from == "worker":
        set_up_logging(settings.log_level, settings.log_format, program=NAME, worker=settings.worker)
        return keep(archive.of(settings.snapshot_partition), Log(f"agents.{NAME}"))
    catalogue = named(settings.namespace)
    topics = catalogue.of(Ledger(settings.snapshot_ledger))
    process = ProcessMetrics()
    program = begin(settings, NAME, catalogue, (topics.ledger,), process)
    if isinstance(program, int):
        return program

    metrics = SnapshotMetrics(process.registry)

    async def fold() -> int:
        return await Reader(program, topics, settings.snapshot_partition, archive, metrics).run()

    return program.loop.run_until_complete(fold())


def keep(generations: Generations, log: Log) -> int:
    """What comes over stdin."""
    writing = generations.write()
    if writing is None:
        log(Action.STOPPED, program=NAME, reason="another process writes there")
        return exits.TEMPORARY
    with writing:
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        while frame := read_frame(sys.stdin.buffer):
            kind, value = frame
            if kind is Kind.SHARD:
                writing.put(value)
                continue
            try:
                writing.finish(decode_meta(value))
            except BadSnapshotError as error:
                log(Action.FAILED, program=NAME, reason=str(error))
                return exits.SOFTWARE
            return exits.STOPPED
    return exits.TEMPORARY


class Reader:
    """Folds one partition to the ledger's end. rebuild.Folding."""

    def __init__(
        self, program: Program, topics: LedgerTopics, partition: int, archive: Archive, metrics: SnapshotMetrics
    ) -> None:
        identity = program.identity
        ledger, commands = topics.ledger.name, topics.commands.name
        self._log = program.log
        self._code = program.me.code
        self._generations = archive.of(partition)
        self._machine = PartitionMachine(
            FOLDS[topics.name](), partition, program.me, SystemRandom(), log_id=identity.log_id
        )
        client = program.me.incarnation
        self._lookup = Lookup(
            kafka.lookup_consumer(program.servers, f"{client}-lookup"), ledger, commands, identity.partitions
        )
        self._restorer = Restorer(archive, self._lookup.ledger_record, lambda: False, metrics, program.log)
        self._rebuilder = Rebuilder(
            partial(kafka.catch_up_consumer, program.servers, f"{client}-rebuild"), ledger, lambda: False
        )
        self._afresh = False

    async def run(self) -> int:
        """The exit code."""
        try:
            await self._lookup.start()
            await self._fold()
        except (KafkaError, OffsetOutOfRangeError, TimeoutError) as error:
            self._log(Action.FAILED, program=NAME, reason=repr(error))
            return exits.UNAVAILABLE
        finally:
            await self._lookup.stop()
        if self._machine.role is not Role.COLD or not self.cold:
            return exits.TEMPORARY
        return self._write()

    async def _fold(self) -> None:
        machine = self._machine
        machine.start()
        machine.take()
        await self._restorer.restore(machine)
        end = await self._rebuilder.rebuild(machine.partition, self)
        while self._afresh:
            self._afresh = False
            await self._restorer.restore(machine, afresh=True)
            end = await self._rebuilder.rebuild(machine.partition, self)
        self._log(Action.SNAPSHOT_FOLDED, partition=machine.partition, offset=end)

    def _write(self) -> int:
        writing = self._generations.write()
        if writing is None:
            self._log(Action.STOPPED, program=NAME, reason="another process writes there")
            return exits.TEMPORARY
        picture = Picture(self._machine)
        with writing:
            for value in picture.shards():
                if _left_alone():
                    return exits.TEMPORARY
                writing.put(value)
            writing.finish(picture.meta(self._code, wall_ms()))
        return exits.STOPPED

    # --- rebuild.Folding ------------------------------------------------------------------------------------------

    @property
    def ledger_next(self) -> int:
        """The ledger offset that is wanted next."""
        return self._machine.ledger_next

    @property
    def cold(self) -> bool:
        """Whether to go on folding."""
        return self._machine.role is Role.COLD and not self._afresh and not _left_alone()

    def on_ledger(self, record: ConsumerRecord) -> None:
        """Fold a record."""
        self._machine.on_ledger(record.offset, record.timestamp, record.value)

    def flush(self) -> None:
        """Nothing is done here but to fold: alarms are told, and a state in doubt is dropped."""
        for effect in self._machine.take():
            if isinstance(effect, Alarm):
                self._log(Action.labelled(effect.action), partition=self._machine.partition, problem=effect.message)
            elif isinstance(effect, Rebuild):
                self._afresh = effect.afresh


def _left_alone() -> bool:
    """Whether stdin has ended: nothing ever comes over it here."""
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(readable)
