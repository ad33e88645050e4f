"""Appends what a stateless agent has to say: commands for the owners, in batches, acked before its chunk is.

A batch that failed is sent again, the same bytes by another producer, until it is acked: it may then be there twice,
which the folds absorb. A crash between ack and commit does the same.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from domain.roles import Role
from streams.actions import Action
from streams.logs import Log
from streams.records import BATCH_BYTES_MAX, BATCH_COMMANDS_MAX, BatchCodec

AGAIN_S = 0.5
"""Between two attempts at a broker that is away."""
STOP_S = 5.0


class CommandWriter:
    """Of one commands topic and one role. `sender` names this process; it numbers its batches."""

    def __init__(
        self,
        make: Callable[[], AIOKafkaProducer],
        topic: str,
        codec: BatchCodec[Any],
        log_id: bytes,
        role: Role,
        sender: str,
        log: Log,
    ) -> None:
        self._make = make
        self._topic = topic
        self._codec = codec
        self._log_id = log_id
        self._role = role
        self._sender = sender
        self._log = log
        self._numbers = itertools.count(1)
        self._producer: AIOKafkaProducer | None = None
        self._locks: dict[int, asyncio.Lock] = {}
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect. KafkaError if the broker does not answer."""
        await self._started()

    async def stop(self) -> None:
        """Flush and disconnect."""
        producer, self._producer = self._producer, None
        if producer:
            await _close(producer)

    async def write(self, commands: Mapping[int, Sequence[tuple[Any, ...]]]) -> None:
        """Append the commands of each partition, in their order; returns when all are acked, however long it takes."""
        async with asyncio.TaskGroup() as group:
            for partition, wanted in commands.items():
                if wanted:
                    group.create_task(self._write(partition, list(wanted)))

    async def _write(self, partition: int, commands: list[Any]) -> None:
        async with self._locks.setdefault(partition, asyncio.Lock()):
            for value in self._batches(commands):
                acked = await self._append(partition, value)
                while not acked:
                    await asyncio.sleep(AGAIN_S)
                    acked = await self._append(partition, value)

    def _batches(self, commands: list[Any]) -> Iterator[bytes]:
        """Records' values: as many commands in each as the limits allow."""
        rest = commands
        while rest:
            size = min(len(rest), BATCH_COMMANDS_MAX)
            value = self._encode(rest[:size])
            while len(value) > BATCH_BYTES_MAX and size > 1:
                size = max(1, size * BATCH_BYTES_MAX // len(value) - 1)
                value = self._encode(rest[:size])
            rest = rest[size:]
            yield value

    def _encode(self, commands: list[Any]) -> bytes:
        return self._codec.encode(self._log_id, self._role, self._sender, next(self._numbers), commands)

    async def _append(self, partition: int, value: bytes) -> bool:
        """Whether it is acked; if not, it may or may not be there."""
        try:
            producer = await self._started()
        except KafkaError as error:
            self._log(Action.BROKER_AWAY, reason=repr(error))
            return False
        try:
            await producer.send_and_wait(self._topic, value, partition=partition)
        except KafkaError as error:
            if self._producer is producer:
                self._producer = None
                self._log(Action.PRODUCER_REPLACED, reason=repr(error))
                await _close(producer)
            return False
        return True

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is not None:
                return self._producer
            producer = self._make()
            try:
                await producer.start()
            except KafkaError:
                await _close(producer)
                raise
            self._producer = producer
            return producer


async def _close(producer: AIOKafkaProducer) -> None:
    """For at most STOP_S: it waits for acks, which a broker that is away does not send."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await producer.stop()
