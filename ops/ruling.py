"""`turnstile ledger rule`: an operator decides by hand the one record that no owner can decide (W10).

Folds to the end with the machine that workers run, takes the partition by an ordinary CLAIM, appends the RULING (every
command FAULT), publishes its facts, and lets go: the next owner claims by W9.
"""

import random
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from ops.ledgers import Kind
from streams.effects import Append, AppendClaim, DeadLetter, Exit, Publish, ReadLedger, Role
from streams.kafka import producer
from streams.kafka_log import KafkaLog
from streams.log import Record
from streams.machine import Member, PartitionMachine
from streams.topics import LedgerTopics

CLIENT_ID = "turnstile-ruling"


class RulingError(RuntimeError):
    """The ruling was not made; the message says why, and what to look at."""


class Ruled(NamedTuple):
    """What was decided: every command of this record is FAULT."""

    partition: int
    src: int
    commands: int
    ledger_offset: int


class Ruling:
    """One ruling on one partition of the ledger of `topics`, which is of `kind`: make it, then `rule` once."""

    def __init__(
        self, servers: str, topics: LedgerTopics, partition: int, kind: Kind, operator: str, say: Callable[[str], None]
    ) -> None:
        self._servers = servers
        self._topics = topics
        self._partition = partition
        self._operator = operator
        self._say = say
        self._records = kind.records
        me = Member(f"ruling-by-{operator}", f"ruling@{random.SystemRandom().randbytes(6).hex()}", version("turnstile"))
        self._machine = PartitionMachine(kind.fold, partition, me, random.SystemRandom())
        self._log = KafkaLog(servers, CLIENT_ID)
        self._facts: AIOKafkaProducer = producer(servers, f"{CLIENT_ID}-facts")

    async def rule(self, src: int, reason: str) -> Ruled:
        """Rule on the record at `src`, which must be the next to be decided. RulingError if it is not, or not ours."""
        async with self._log:
            await self._facts.start()
            try:
                return await self._rule(src, reason)
            finally:
                await self._facts.stop()

    async def _rule(self, src: int, reason: str) -> Ruled:
        machine = self._machine
        machine.start()
        end = await self._log.end(self._topics.ledger.name, self._partition)
        self._say(f"folding {end} ledger records ...")
        await self._feed(end)
        machine.on_caught_up(end)
        if not self._is(Role.WARM):
            message = "the ledger cannot be folded to its end: code must be mended first"
            raise RulingError(message)
        if machine.next_command != src:
            message = f"the next record to be decided is {machine.next_command}, not {src}"
            raise RulingError(message)
        command = await self._command(src)
        now_ms = time.time_ns() // 1_000_000
        machine.on_clock(int(time.monotonic() * 1000), now_ms)
        machine.take()
        machine.claim(f"ruling by {self._operator}")
        await self._carry_out()
        if not self._is(Role.OWNER):
            message = "another worker claimed the partition at the same moment: look with `turnstile owners`, repeat"
            raise RulingError(message)
        machine.submit(*command)
        append = machine.rule(self._operator, reason)
        if append is None:
            message = f"record {src} could not be ruled on"
            raise RulingError(message)
        await self._append(append)
        if machine.accepted.src != src:
            message = "another worker claimed the partition before the ruling landed: look, then repeat"
            raise RulingError(message)
        return Ruled(self._partition, src, len(append.outcomes), machine.accepted.offset)

    def _is(self, role: Role) -> bool:
        return self._machine.role is role

    async def _append(self, append: Append) -> None:
        position = await self._log.append(self._topics.ledger.name, self._partition, append.value)
        self._machine.on_appended(append.token, position.offset)
        if position.offset < 0:
            await self._feed(await self._log.end(self._topics.ledger.name, self._partition))
        await self._carry_out()

    async def _carry_out(self) -> None:
        """What a worker's shell does, as far as a ruling needs it. Its own ticks are no business of a ruling."""
        while effects := self._machine.take():
            for effect in effects:
                match effect:
                    case AppendClaim():
                        ledger = self._topics.ledger.name
                        position = await self._log.append(ledger, self._partition, effect.value)
                        self._machine.on_claim_appended(effect.nonce, position.offset)
                        if position.offset < 0:
                            await self._feed(await self._log.end(ledger, self._partition))
                    case ReadLedger():
                        await self._feed(effect.end)
                    case Publish():
                        topic = self._topics.events.name
                        for key, value, headers in self._records(self._partition, effect.value):
                            await self._facts.send_and_wait(
                                topic, value, key=key, partition=self._partition, headers=headers
                            )
                        self._machine.on_published(effect.ledger_offset)
                    case DeadLetter():
                        await self._bury(effect)
                    case Exit():
                        raise RulingError(effect.reason)
                    case _:
                        pass

    async def _bury(self, letter: DeadLetter) -> None:
        source = self._topics.commands.name
        headers = [
            ("topic", source.encode()),
            ("partition", str(self._partition).encode()),
            ("offset", str(letter.offset).encode()),
            ("timestamp-ms", str(letter.timestamp_ms).encode()),
            ("reason", letter.reason.encode()),
        ]
        topic = self._topics.dead_letters.name
        await self._facts.send_and_wait(
            topic, letter.value, key=source.encode(), partition=self._partition, headers=headers
        )

    async def _feed(self, end: int) -> None:
        start = self._machine.ledger_next
        async for record in self._log.read(self._topics.ledger.name, self._partition, start, end):
            self._machine.on_ledger(*record)

    async def _command(self, src: int) -> Record:
        async for record in self._log.read(self._topics.commands.name, self._partition, src, src + 1):
            return record
        message = f"no command waits at {src}: there is nothing to rule on"
        raise RulingError(message)
