"""`python -m bench.journey`: orders of one line from request to CONFIRMED, and stock while payments hang.

One gateway's service in this process; broker, one owner of each ledger, relay and agents as processes.

    orders   N requests as fast as they are taken; orders/s from the first ack to the last CONFIRMED. The provider is
             the stand-in inside the payment agent, without latency or limits (--provider in-process), or the stand-in
             over HTTP with 120 ms latency and the live limits (--provider http).
    hanging  decisions/s on another SKU with no order on its way, and with 300 whose provider answers after 3 s:
             rounds in turn, the ratio of their medians.

Prints one JSON object. The log is audited afterwards, with SQL; a violation fails the run.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import uvloop
from aiokafka import TopicPartition

from bench.system import LIMIT, cpu_s, gateway_service, machine, open_sku, percentile, system, violations
from domain.ids import hold_id, order_id, order_text
from domain.stock import Reserve
from gateway.service import Service
from ops.deployment import Deployment
from streams.carried import Carried, encode_carried
from streams.kafka import hot_consumer
from streams.order_events import OrderEvent, decode
from streams.records import UndecodableError

SKU, OTHER = "journey", "other"
UNITS = 1_000_000_000
PRICE = 4_900
WARM_UP = 100
CARRIED = encode_carried(Carried("pm_card_visa"))
PROVIDERS: dict[str, dict[str, object]] = {
    "in-process": {"payments": "stand-in://?reads_per_s=0&writes_per_s=0", "calls_per_s": 0},
    "http": {"calls_per_s": 100},
}
HTTP = "stand-in://?latency_ms=120"
HANGING = "stand-in://?latency_ms=3000&reads_per_s=0&writes_per_s=0"
HANGING_ORDERS = 300
HANGING_CLIENTS = 200
ROUND_S = 2.0
"""Less than the provider takes: payments hang for all of it."""
ROUNDS = 7
END_S = 300.0
CONFIRMED, PENDING = "CONFIRMED", "PAYMENT_PENDING"


class Journeys:
    """Orders that were asked for, and when each was confirmed."""

    def __init__(self, service: Service, deployment: Deployment) -> None:
        self.service = service
        self.confirmed_s: dict[str, float] = {}
        self.acked_s: dict[str, float] = {}
        self.pending: set[str] = set()
        """Orders that have asked for their money."""
        self._deployment = deployment
        self._changed = asyncio.Event()
        self._number = 0

    async def watch(self) -> None:
        """Follow order.events from their end, for ever."""
        topic = self._deployment.topics.order_events.name
        consumer = hot_consumer(self._deployment.servers, "bench-journey")
        await consumer.start()
        try:
            places = [TopicPartition(topic, number) for number in range(self.service.partitions)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            while True:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        self._see(record.headers, record.value)
        finally:
            await consumer.stop()

    def _see(self, headers: object, value: bytes) -> None:
        try:
            event = decode(headers, value)  # type: ignore[arg-type]
        except UndecodableError:
            return
        if not isinstance(event, OrderEvent) or event.order not in self.acked_s:
            return
        if event.to == CONFIRMED:
            self.confirmed_s.setdefault(event.order, time.perf_counter())
            self._changed.set()
        elif event.to == PENDING:
            self.pending.add(event.order)
            self._changed.set()

    def ask(self, sku: str = SKU) -> tuple[str, asyncio.Future[bool]]:
        """Ask for one; its id, and a future that is done when it is in the log."""
        self._number += 1
        service = self.service
        partition = service.partition_of(sku)
        order = order_id(b"bench", "", str(self._number), partition)
        customer = self._number.to_bytes(8, "big")
        not_after = service.logtime.now_ms(partition) + 30_000
        command = Reserve(hold_id(order), sku, customer, 1, not_after, customer, carried=CARRIED)
        seat = service.submit(service.customers, partition, command)
        seat.acked = asyncio.get_running_loop().create_future()
        return order_text(order), seat.acked

    async def run(self, count: int) -> list[str]:
        """Ask for so many at once; return when all are in the log."""
        asked = [self.ask() for _ in range(count)]
        for order, acked in asked:
            acked.add_done_callback(partial(self._acked, order))
        await asyncio.gather(*(acked for _, acked in asked))
        return [order for order, _ in asked]

    def _acked(self, order: str, _: asyncio.Future[bool]) -> None:
        self.acked_s[order] = time.perf_counter()

    async def until_pending(self, orders: list[str]) -> None:
        """All are at the provider, or about to be. TimeoutError if some are not after five minutes."""
        async with asyncio.timeout(END_S):
            while not self.pending >= set(orders):
                self._changed.clear()
                await self._changed.wait()

    async def until_confirmed(self, orders: list[str]) -> None:
        """TimeoutError if some are not after five minutes."""
        async with asyncio.timeout(END_S):
            while not self.confirmed_s.keys() >= set(orders):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def _journeys(payments: str, extra: dict[str, object]) -> AsyncIterator[tuple[Journeys, Deployment]]:
    async with (
        system(1, 0, extra, orders=1, payments=payments) as deployment,
        gateway_service(deployment) as service,
    ):
        journeys = Journeys(service, deployment)
        watching = asyncio.create_task(journeys.watch())
        for sku in (SKU, OTHER):
            await open_sku(service, sku, PRICE, UNITS)
        try:
            yield journeys, deployment
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def orders(provider: str, count: int) -> dict[str, object]:
    """Orders a second, milliseconds from ack to CONFIRMED, CPU milliseconds an order of each process."""
    async with _journeys(HTTP if provider == "http" else "stand-in://", PROVIDERS[provider]) as (journeys, deployment):
        await journeys.until_confirmed(await journeys.run(WARM_UP))
        names = [*deployment.supervisor.names, "broker", "gateway (this process)"]
        pids = {name: deployment.supervisor.pid(name) for name in deployment.supervisor.names}
        pids |= {"broker": deployment.broker_pid, names[-1]: os.getpid()}
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        begun_s = time.perf_counter()
        asked = await journeys.run(count)
        await journeys.until_confirmed(asked)
        took_s = max(journeys.confirmed_s[order] for order in asked) - begun_s
        cpu = {name: round((cpu_s(pid) - before[name]) / count * 1000, 2) for name, pid in pids.items()}
        waits = [(journeys.confirmed_s[order] - journeys.acked_s[order]) * 1000 for order in asked]
        found = await violations(deployment, sql=True)
    return {
        "bench": "orders",
        "provider": provider,
        "orders": count,
        "orders_per_s": round(count / took_s, 1),
        "p50_ms": round(percentile(waits, 0.5)),
        "p99_ms": round(percentile(waits, 0.99)),
        "cpu_ms": cpu,
        "violations": found,
        **machine(),
    }


async def hanging() -> dict[str, object]:
    """Decisions a second without payments on their way and with; the median of rounds in turn."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    async with _journeys(HANGING, {"calls_per_s": 0}) as (journeys, deployment):
        await _decide(journeys, 1.0)
        for _ in range(ROUNDS):
            for hangs in (False, True):
                asked = await journeys.run(HANGING_ORDERS) if hangs else []
                await journeys.until_pending(asked)
                rates[hangs].append(await _decide(journeys, ROUND_S))
                await journeys.until_confirmed(asked)
        found = await violations(deployment, sql=True)
    alone, beside = (sorted(rates[hangs])[ROUNDS // 2] for hangs in (False, True))
    return {
        "bench": "hanging",
        "decisions_per_s_alone": round(alone),
        "decisions_per_s_while_payments_hang": round(beside),
        "ratio": round(beside / alone, 3),
        "violations": found,
        **machine(),
    }


async def _decide(journeys: Journeys, seconds: float) -> float:
    """Waiting clients on another SKU. Each is refused for its price, so that no order is born of it."""
    service = journeys.service
    partition = service.partition_of(OTHER)
    count = 0
    end = time.perf_counter() + seconds

    async def client() -> None:
        nonlocal count
        customer = os.urandom(8)
        own = partition.to_bytes(2, "big") + os.urandom(6)
        number = 0
        while time.perf_counter() < end:
            number += 1
            not_after = service.logtime.now_ms(partition) + 30_000
            hold = hold_id(own + number.to_bytes(8, "big"))
            command = Reserve(hold, OTHER, customer, LIMIT, not_after, customer, max_price=1)
            seat = service.submit(service.customers, partition, command)
            seat.decided = asyncio.get_running_loop().create_future()
            await seat.decided
            count += 1

    begun = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(HANGING_CLIENTS)))
    return count / (time.perf_counter() - begun)


def main() -> int:
    """Exit code 1 if the audit found a violation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", choices=["orders", "hanging"])
    parser.add_argument("--provider", choices=list(PROVIDERS), default="in-process")
    parser.add_argument("--orders", type=int, default=3_000)
    options = parser.parse_args()
    measure = orders(options.provider, options.orders) if options.bench == "orders" else hanging()
    result = uvloop.run(measure)
    print(json.dumps(result))
    return 1 if result["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
