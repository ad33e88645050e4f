"""Writes what agents that work concurrently have to tell: one batch a partition every few ms, or an ack."""

import asyncio
from collections import defaultdict

from agents.command_writer import CommandWriter
from domain.orders import OrderCommand

PACE_S = 0.003
"""A batch costs the order's owner as much as 20 of its commands, so a little patience pays."""

Told = tuple[OrderCommand, "asyncio.Future[None]"]


class Answers:
    """Commands by partition of the order ledger. `run` must be running."""

    def __init__(self, writer: CommandWriter) -> None:
        self._writer = writer
        self._waiting: dict[int, list[Told]] = defaultdict(list)
        self._news = asyncio.Event()

    def put(self, partition: int, command: OrderCommand) -> "asyncio.Future[None]":
        """Done when the command is acked."""
        acked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[partition].append((command, acked))
        self._news.set()
        return acked

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._news.wait()
            await asyncio.sleep(PACE_S)
            self._news.clear()
            taken, self._waiting = self._waiting, defaultdict(list)
            batches = {partition: [command for command, _ in told] for partition, told in taken.items()}
            await self._writer.write(batches)
            for told in taken.values():
                for _, acked in told:
                    if not acked.done():
                        acked.set_result(None)
