"""`python -m bench.load_process`: a gateway's service without HTTP, and clients of it. A JSON line each, in and out.

In an open loop the request that was due at a time is sent as soon after as this process gets to it, and its latency
counts from when it was due: a pause here, there or at the broker is in every latency that it delayed.
"""

import asyncio
import os
import random
import sys
import time
from functools import partial
from pathlib import Path

import msgspec
import uvloop

from bench.latency import Latencies
from bench.lines import serve
from bench.load import Load, Measured, Moment, Stock, Where
from bench.system import gateway_service, open_skus
from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.stock import Reserve
from gateway.problems import ProblemError
from gateway.service import Service
from gateway.view import Answer
from streams.topics import named

BURST_MAX = 500
"""Requests sent in one turn of the loop: who is late still lets answers in."""
LAST_S = 60.0
"""For the last decisions, after the last request."""


class _Run:
    """One load, made by this process."""

    def __init__(self, service: Service, load: Load) -> None:
        self._service = service
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random(7)
        self._prefix = os.urandom(6)
        self._number = 0
        self._open = 0
        self._shed = 0
        self._wrong: Answer | None = None
        self._wanted = int(Outcome.GRANTED if load.max_price < 0 else Outcome.PRICE_CHANGED)
        self._waits: list[float] = []
        self._moments: list[Moment] = []
        self._done = asyncio.Event()

    async def run(self) -> Measured:
        """AssertionError for an answer that was not asked for; TimeoutError if one does not come."""
        begun_s = time.monotonic()
        await (self._closed(begun_s) if self._load.clients else self._opened(begun_s))
        async with asyncio.timeout(LAST_S):
            while self._open:
                self._done.clear()
                await self._done.wait()
        seconds = time.monotonic() - begun_s
        if self._wrong is not None:
            message = f"{self._wrong} instead of {self._wanted}"
            raise AssertionError(message)
        latencies = Latencies(self._waits).encoded()
        return Measured(len(self._waits), self._shed, seconds, latencies, self._moments)

    async def _closed(self, begun_s: float) -> None:
        end_s = begun_s + self._load.seconds

        async def client() -> None:
            while (now_s := time.monotonic()) < end_s:
                decided = self._ask(now_s)
                if decided is None:
                    await asyncio.sleep(0.001)
                else:
                    await decided

        await asyncio.gather(*(client() for _ in range(self._load.clients)))

    async def _opened(self, begun_s: float) -> None:
        rate = self._load.rate_per_s
        total = int(rate * self._load.seconds)
        sent = 0
        while sent < total:
            due = min(total, sent + BURST_MAX, int((time.monotonic() - begun_s) * rate) + 1)
            while sent < due:
                self._ask(begun_s + sent / rate)
                sent += 1
            await asyncio.sleep(max(0.0, begun_s + sent / rate - time.monotonic()))

    def _ask(self, due_s: float) -> asyncio.Future[Answer] | None:
        """None if it is not taken."""
        service, skus = self._service, self._load.skus
        sku = skus[int(self._rng.random() * len(skus))]
        partition = service.partition_of(sku)
        self._number += 1
        number = self._number.to_bytes(8, "big")
        hold = hold_id(partition.to_bytes(2, "big") + self._prefix + number)
        not_after_ms = service.logtime.now_ms(partition) + 60_000
        command = Reserve(hold, sku, number, 1, not_after_ms, number, self._load.max_price)
        try:
            seat = service.submit(service.customers, partition, command)
        except ProblemError:
            self._shed += 1
            return None
        self._open += 1
        seat.decided = decided = self._loop.create_future()
        decided.add_done_callback(partial(self._on_decided, due_s, partition))
        return decided

    def _on_decided(self, due_s: float, partition: int, decided: asyncio.Future[Answer]) -> None:
        now_s = time.monotonic()
        if (answer := decided.result()).outcome != self._wanted:
            self._wrong = answer
        self._waits.append(now_s - due_s)
        if self._load.moments:
            self._moments.append(Moment(due_s, now_s, partition))
        self._open -= 1
        if not self._open:
            self._done.set()


async def _run(where: Where) -> None:
    async with gateway_service(Path(where.data_dir), where.servers, named(where.namespace)) as service:

        async def answer(what: Stock | Load) -> object:
            if isinstance(what, Load):
                return await _Run(service, what).run()
            await open_skus(service, what.skus, what.price, what.units, what.hold_ms)
            return len(what.skus)

        await serve(Stock | Load, answer)


def main() -> int:
    """Takes a Where as JSON; ends when stdin does."""
    uvloop.run(_run(msgspec.json.decode(sys.argv[1], type=Where)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
