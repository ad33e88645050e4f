"""`python -m bench.load_process`: a gateway's service without HTTP, and clients of it. A JSON line each, in and out.

In an open loop the request that was due at a time is sent as soon after as this process gets to it, and its latency
counts from when it was due: a pause here, there or at the broker is in every latency that it delayed.
"""

import asyncio
import math
import os
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

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
TICK_S = 0.001
"""An open loop sends what is due this often. To sleep for less is to spin, on a core that what is measured needs."""
TOLD_S = 0.001
"""Log time is asked for so often, not for each request."""
SHED_S = 0.001
LAST_S = 60.0
"""For the last decisions, after the last request."""


_new = tuple.__new__
"""A NamedTuple's own constructor takes twice the time."""


class _Target(NamedTuple):
    """A SKU, its partition, and how the holds of this run begin there."""

    sku: str
    partition: int
    prefix: bytes


class _Client:
    """Waits for one answer at a time. A seat tells it as it would tell a future, without a turn of the loop each."""

    __slots__ = ("_run", "due_s", "partition")

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self.due_s = 0.0
        self.partition = -1

    def done(self) -> bool:
        """It does not give up."""
        return False

    def set_result(self, answer: Answer) -> None:
        """Its answer is there."""
        self._run.on_decided(self, answer)


class _Run:
    """One load, made by this process. What a request costs here is in the gateway's CPU, so it is kept small."""

    def __init__(self, service: Service, load: Load) -> None:
        self._service = service
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._rng = random.Random(7)
        life = os.urandom(6)
        partitions = [service.partition_of(sku) for sku in load.skus]
        self._targets = [
            _Target(sku, partition, partition.to_bytes(2, "big") + life)
            for sku, partition in zip(load.skus, partitions, strict=True)
        ]
        self._not_after_ms = dict.fromkeys(partitions, 0)
        self._told_s = -math.inf
        """When `_not_after_ms`, by partition, was asked for."""
        self._number = 0
        self._open = 0
        self._shed = 0
        self._wrong: Answer | None = None
        self._wanted = int(Outcome.GRANTED if load.max_price < 0 else Outcome.PRICE_CHANGED)
        self._waits: list[float] = []
        self._moments: list[Moment] = []
        self._done = asyncio.Event()
        self._again_until_s = -math.inf
        """A client that waits, in a closed loop, asks again until then."""

    async def run(self) -> Measured:
        """AssertionError for an answer that was not asked for; TimeoutError if one does not come."""
        begun_s, cpu_s = time.monotonic(), time.process_time()
        await (self._closed(begun_s) if self._load.clients else self._opened(begun_s))
        async with asyncio.timeout(LAST_S):
            while self._open:
                self._done.clear()
                await self._done.wait()
        seconds, cpu_s = time.monotonic() - begun_s, time.process_time() - cpu_s
        if self._wrong is not None:
            message = f"{self._wrong} instead of {self._wanted}"
            raise AssertionError(message)
        latencies = Latencies(self._waits).encoded()
        return Measured(len(self._waits), self._shed, seconds, cpu_s, latencies, self._moments)

    async def _closed(self, begun_s: float) -> None:
        self._again_until_s = begun_s + self._load.seconds
        for _ in range(self._load.clients):
            self._ask_again(_Client(self))
        await asyncio.sleep(self._load.seconds)

    def _ask_again(self, client: _Client) -> None:
        """What a client does that has its answer, or was shed."""
        now_s = time.monotonic()
        if now_s < self._again_until_s and not self._ask(client, now_s):
            self._loop.call_later(SHED_S, self._ask_again, client)

    async def _opened(self, begun_s: float) -> None:
        rate = self._load.rate_per_s
        total = int(rate * self._load.seconds)
        sent = 0
        while sent < total:
            due = min(total, sent + BURST_MAX, int((time.monotonic() - begun_s) * rate) + 1)
            while sent < due:
                self._ask(_Client(self), begun_s + sent / rate)
                sent += 1
            early_s = begun_s + sent / rate - time.monotonic()
            if early_s > TICK_S:
                await asyncio.to_thread(time.sleep, early_s)  # to 0.1 ms; the loop's timers are late by one
            else:
                await asyncio.sleep(TICK_S if early_s > 0 else 0)

    def _ask(self, client: _Client, due_s: float) -> bool:
        """Send a request; False if it is not taken."""
        service, targets = self._service, self._targets
        if due_s - self._told_s > TOLD_S:
            self._told_s = due_s
            self._not_after_ms = {p: service.logtime.not_after_ms(p) for p in self._not_after_ms}
        target = targets[int(self._rng.random() * len(targets))] if len(targets) > 1 else targets[0]
        sku, partition, prefix = target
        self._number += 1
        number = self._number.to_bytes(8, "big")
        hold = hold_id(prefix + number)
        command = _new(
            Reserve, (hold, sku, number, 1, self._not_after_ms[partition], number, self._load.max_price, b"")
        )
        try:
            seat = service.submit(service.customers, partition, command)
        except ProblemError:
            self._shed += 1
            return False
        client.due_s, client.partition = due_s, partition
        self._open += 1
        seat.decided = client
        return True

    def on_decided(self, client: _Client, answer: Answer) -> None:
        """Take it down; in a closed loop the client asks again."""
        now_s = time.monotonic()
        if answer.outcome != self._wanted:
            self._wrong = answer
        self._waits.append(now_s - client.due_s)
        if self._load.moments:
            self._moments.append(Moment(client.due_s, now_s, client.partition))
        self._open -= 1
        if now_s < self._again_until_s:
            self._ask_again(client)
        elif not self._open:
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
