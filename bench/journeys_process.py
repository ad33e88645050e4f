"""`python -m bench.journeys_process`: a gateway's service without HTTP that orders, and follows what becomes of it."""

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop
from aiokafka import TopicPartition

from bench.journeys import Ask, Finish, Journeyed
from bench.latency import Latencies
from bench.lines import serve
from bench.load import Where
from bench.system import gateway_service
from domain.ids import hold_id, order_id, order_text
from domain.stock import Reserve
from gateway.service import Service
from streams.carried import Carried, encode_carried
from streams.kafka import hot_consumer
from streams.order_events import OrderEvent, decode
from streams.topics import Topics, named

CARRIED = encode_carried(Carried("pm_card_visa"))
CONFIRMED, PENDING = "CONFIRMED", "PAYMENT_PENDING"
END_S = 300.0


class _Journeys:
    """Orders that were asked for, and when each was confirmed."""

    def __init__(self, service: Service, servers: str, topics: Topics) -> None:
        self._service = service
        self._servers = servers
        self._topics = topics
        self._rng = random.Random(7)
        self._life = os.urandom(6).hex()
        self._number = 0
        self._begun_s = 0.0
        self._due_s: dict[str, float] = {}
        self._confirmed_s: dict[str, float] = {}
        self._pending: set[str] = set()
        self._changed = asyncio.Event()

    async def follow(self) -> None:
        """Read order.events for ever."""
        topic = self._topics.order_events.name
        consumer = hot_consumer(self._servers, "bench-journeys")
        await consumer.start()
        try:
            places = [TopicPartition(topic, number) for number in range(self._service.partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            while True:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        self._see(record.headers, record.value)
        finally:
            await consumer.stop()

    async def answer(self, what: Ask | Finish) -> object:
        """TimeoutError if an order does not get there within five minutes."""
        if isinstance(what, Finish):
            return await self._finish()
        begun_s = time.monotonic()
        self._begun_s = self._begun_s or begun_s
        acks = []
        for number in range(what.orders):
            due_s = begun_s + number / what.per_s if what.per_s else begun_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            acks.append(self._ask(what.skus[int(self._rng.random() * len(what.skus))], due_s))
        await asyncio.gather(*acks)
        if what.pending:
            await self._until(lambda: self._pending >= self._due_s.keys())
        return len(acks)

    async def _finish(self) -> Journeyed:
        await self._until(lambda: self._confirmed_s.keys() >= self._due_s.keys())
        seconds = max(self._confirmed_s[order] for order in self._due_s) - self._begun_s
        waits = [self._confirmed_s[order] - due_s for order, due_s in self._due_s.items()]
        done = Journeyed(len(waits), seconds, Latencies(waits).encoded())
        self._due_s, self._confirmed_s, self._pending, self._begun_s = {}, {}, set(), 0.0
        return done

    async def _until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(END_S):
            while not reached():
                self._changed.clear()
                await self._changed.wait()

    def _ask(self, sku: str, due_s: float) -> asyncio.Future[bool]:
        """A future that is done when it is in the log."""
        self._number += 1
        service = self._service
        partition = service.partition_of(sku)
        order = order_id(b"bench", self._life, str(self._number), partition)
        customer = self._number.to_bytes(8, "big")
        not_after_ms = service.logtime.now_ms(partition) + 60_000
        command = Reserve(hold_id(order), sku, customer, 1, not_after_ms, customer, carried=CARRIED)
        seat = service.submit(service.customers, partition, command)
        self._due_s[order_text(order)] = due_s
        seat.acked = acked = asyncio.get_running_loop().create_future()
        return acked

    def _see(self, headers: object, value: bytes) -> None:
        event = decode(headers, value)  # type: ignore[arg-type]
        if not isinstance(event, OrderEvent):
            return
        if event.to == CONFIRMED:
            self._confirmed_s.setdefault(event.order, time.monotonic())
        elif event.to == PENDING:
            self._pending.add(event.order)
        self._changed.set()


async def _run(where: Where) -> None:
    topics = named(where.namespace)
    async with gateway_service(Path(where.data_dir), where.servers, topics) as service, asyncio.TaskGroup() as group:
        journeys = _Journeys(service, where.servers, topics)
        following = group.create_task(journeys.follow())
        await serve(Ask | Finish, journeys.answer)
        following.cancel()


def main() -> int:
    """Takes a Where as JSON; ends when stdin does."""
    uvloop.run(_run(msgspec.json.decode(sys.argv[1], type=Where)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
