"""How the facts of one kind of ledger are published: the one thing in which the owner roles differ beside the fold."""

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from aiokafka import AIOKafkaProducer

from streams.effects import Publish
from streams.machine import PartitionMachine

Failed = Callable[[str, BaseException | None], NoReturn]
"""What could not be written, and why: ends the process (W5)."""


class Facts(Protocol):
    """Of one partition."""

    async def send(self, fact: Publish) -> asyncio.Future[Any]:
        """Hand it to the producer, after what was sent before; the future is done when all of it is acked."""

    def on_owning(self) -> None:
        """This worker owns the partition from now on."""

    def on_dropped(self) -> None:
        """The state is being folded again."""

    async def run(self) -> None:
        """An errand of its own, for as long as the partition is followed."""


MakeFacts = Callable[[PartitionMachine, AIOKafkaProducer, Failed], Facts]
