"""Writes what agents that work concurrently have to tell: one batch a partition every few ms, or an ack."""

import asyncio
from collections import defaultdict

from agents.command_writer import CommandWriter
from domain.orders import OrderCommand

PACE_S = 0.003
"""A batch costs the order's owner as much as 20 of its commands, so a little patience pays."""

Told = tuple[OrderCommand, "asyncio.Future[None]"]


class Answers:
    """Commands by partition of the order ledger. `run` must be running. A partition that is away stops no other."""

    def __init__(self, writer: CommandWriter) -> None:
        self._writer = writer
        self._waiting: dict[int, list[Told]] = defaultdict(list)
        self._writing: set[int] = set()
        self._news = asyncio.Event()

    def put(self, partition: int, command: OrderCommand) -> "asyncio.Future[None]":
        """Done when the command is acked."""
        acked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[partition].append((command, acked))
        self._news.set()
        return acked

    @property
    def pending(self) -> bool:
        """Something is not acked yet."""
        return bool(self._waiting or self._writing)

    async def run(self) -> None:
        """Write for ever."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._news.wait()
                await asyncio.sleep(PACE_S)
                self._news.clear()
                for partition in self._waiting.keys() - self._writing:
                    self._writing.add(partition)
                    group.create_task(self._write(partition, self._waiting.pop(partition)))

    async def _write(self, partition: int, told: list[Told]) -> None:
        await self._writer.write({partition: [command for command, _ in told]})
        for _, acked in told:
            if not acked.done():
                acked.set_result(None)
        self._writing.discard(partition)
        if partition in self._waiting:
            self._news.set()
