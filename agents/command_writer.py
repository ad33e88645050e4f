"""Appends what a stateless agent has to say: commands for the owners, in batches, acked before its chunk is."""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from agents.appender import Appender
from domain.roles import Role
from streams.records import BatchCodec


class CommandWriter:
    """Of one commands topic and one role. `sender` names this process; it numbers its batches."""

    def __init__(
        self,
        appender: Appender,
        topic: str,
        codec: BatchCodec[Any],
        log_id: bytes,
        role: Role,
        sender: str,
        wrote: Callable[[str, int], None],
    ) -> None:
        self._appender = appender
        self._topic = topic
        self._codec = codec
        self._log_id = log_id
        self._role = role
        self._sender = sender
        self._wrote = wrote
        self._numbers = itertools.count(1)
        self._locks: dict[int, asyncio.Lock] = {}

    async def start(self) -> None:
        """Connect. KafkaError if the broker does not answer."""
        await self._appender.start()

    async def stop(self) -> None:
        """Flush and disconnect."""
        await self._appender.stop()

    async def write(self, commands: Mapping[int, Sequence[tuple[Any, ...]]]) -> None:
        """Append the commands of each partition, in their order; returns when all are acked, however long it takes."""
        async with asyncio.TaskGroup() as group:
            for partition, wanted in commands.items():
                if wanted:
                    group.create_task(self._write(partition, list(wanted)))

    async def _write(self, partition: int, commands: list[Any]) -> None:
        async with self._locks.setdefault(partition, asyncio.Lock()):
            for value in self._batches(commands):
                await self._appender.append(self._topic, partition, value)
        self._wrote(self._topic, len(commands))

    def _batches(self, commands: list[Any]) -> Iterator[bytes]:
        """Records' values: as many commands in each as the limits allow."""
        rest = commands
        while rest:
            value, count = self._codec.fill(self._log_id, self._role, self._sender, next(self._numbers), rest)
            rest = rest[count:]
            yield value
