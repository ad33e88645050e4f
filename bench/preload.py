"""Commands that lie in a topic before anybody reads them."""

import os
from collections.abc import Iterator
from typing import Self

from domain.ids import hold_id
from domain.roles import Role
from domain.stock import Reserve
from ops.deployment import Deployment
from streams import runfile
from streams.kafka import producer
from streams.stock_records import BATCHES, StockCommand

NOT_AFTER_MS = 600_000
"""They wait for a worker that is stopped meanwhile."""


class Preloader:
    """Makes and appends batches of reservations, each by another customer. `sender` must be new in its log."""

    def __init__(self, servers: str, log_id: bytes, sender: str) -> None:
        self._servers = servers
        self._log_id = log_id
        self._sender = sender
        self._number = 0
        self._made = 0

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """The only one of a running system."""
        return cls(deployment.servers, runfile.read(deployment.settings.data_dir).log_id, "bench")

    def batches(self, sku: str, partition: int, size: int, count: int, now_ms: int) -> Iterator[bytes]:
        """`count` records of `size` commands each. `now_ms`: log time."""
        for _ in range(count):
            commands: list[StockCommand] = []
            for _ in range(size):
                self._made += 1
                order = partition.to_bytes(2, "big") + os.urandom(6) + self._made.to_bytes(8, "big")
                customer = os.urandom(8)
                commands.append(Reserve(hold_id(order), sku, customer, 1, now_ms + NOT_AFTER_MS, customer))
            self._number += 1
            yield BATCHES.encode(self._log_id, Role.GATEWAY, self._sender, self._number, commands)

    async def append(self, topic: str, partition: int, values: Iterator[bytes]) -> None:
        """Return when all are acked. KafkaError."""
        link = producer(self._servers, self._sender)
        await link.start()
        try:
            futures = [await link.send(topic, value, partition=partition) for value in values]
            for future in futures:
                await future
        finally:
            await link.stop()
