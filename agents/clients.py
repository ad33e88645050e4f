"""The Kafka clients of an owner role: made, started and stopped together."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from agents.lookup import Lookup
from agents.outlet import CommandOutlet
from agents.readers import HotReader, TailReader
from streams import kafka
from streams.topics import LedgerTopics

STOP_S = 5.0
"""A producer's `stop` waits for its last acks. Whoever stops has handed over before, so nothing is lost by leaving."""


class Clients(NamedTuple):
    """Of one process. Three producers, because aiokafka has one request in flight each."""

    ledger: AIOKafkaProducer
    facts: AIOKafkaProducer
    commands: CommandOutlet
    hot: HotReader
    tail: TailReader
    lookup: Lookup
    admin: AIOKafkaAdminClient
    catch_up: Callable[[], AIOKafkaConsumer]

    async def start(self) -> None:
        """Connect. KafkaError if the broker does not answer."""
        await asyncio.gather(*(client.start() for client in self[:7]))

    async def stop(self) -> None:
        """Disconnect, for at most STOP_S."""
        closing = (
            *(client.stop() for client in (self.ledger, self.facts, self.commands, self.hot, self.tail, self.lookup)),
            self.admin.close(),
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*closing, return_exceptions=True)


async def make_clients(servers: str, topics: LedgerTopics, partitions: int, incarnation: str) -> Clients:
    """Not started, of the running loop. `incarnation` names this process in the broker's logs and quotas."""
    ledger, commands = topics.ledger.name, topics.commands.name
    return Clients(
        ledger=kafka.producer(servers, f"{incarnation}-ledger"),
        facts=kafka.producer(servers, f"{incarnation}-facts"),
        commands=CommandOutlet(lambda: kafka.producer(servers, f"{incarnation}-commands"), commands),
        hot=HotReader(kafka.hot_consumer(servers, f"{incarnation}-hot"), commands, partitions),
        tail=TailReader(kafka.tail_consumer(servers, f"{incarnation}-tail"), ledger, commands, partitions),
        lookup=Lookup(kafka.lookup_consumer(servers, f"{incarnation}-lookup"), ledger, commands, partitions),
        admin=AIOKafkaAdminClient(bootstrap_servers=servers, client_id=f"{incarnation}-admin"),
        catch_up=lambda: kafka.catch_up_consumer(servers, f"{incarnation}-rebuild"),
    )
