"""Buyers at a gateway's service in this process: as many as it can decide, or at a steady rate whatever comes of it.

Most do not wait for their answer, as most buyers of a drop do not; one of `measured` does.
"""

import asyncio
import os
import time
from collections import Counter
from functools import partial

from domain.ids import hold_id
from domain.outcomes import Outcome
from domain.stock import Reserve
from gateway.problems import ProblemError
from gateway.service import Service
from gateway.view import Answer

TICK_S = 0.005
PATIENCE_MS = 30_000
MEASURED = 100
"""One of so many waits for its answer."""
CLIENTS = 1_000


class Crowd:
    """Of one service."""

    def __init__(self, service: Service, measured: int = MEASURED) -> None:
        self.asked: Counter[str] = Counter()
        """By SKU, what was taken."""
        self.turned_away = 0
        self.waiting = 0
        """Measured ones without an answer."""
        self.outcomes: Counter[str] = Counter()
        self.waits_s: list[float] = []
        self._service = service
        self._measured = measured
        self._own = os.urandom(6)
        self._number = 0

    async def capacity_per_s(self, sku: str, seconds: float) -> float:
        """Decisions a second with a thousand waiting clients."""
        end_s = time.perf_counter() + seconds
        count = 0

        async def client() -> None:
            nonlocal count
            while time.perf_counter() < end_s:
                try:
                    decided = self._ask(sku, waits=True)
                except ProblemError:
                    await asyncio.sleep(TICK_S)
                else:
                    await decided
                    count += 1

        await asyncio.gather(*(client() for _ in range(CLIENTS)))
        self.waits_s.clear()
        return count / seconds

    async def buy(self, rates: dict[str, float], seconds: float) -> None:
        """So many a second of each SKU (open loop)."""
        began_s = time.perf_counter()
        asked = dict.fromkeys(rates, 0)
        while (since_s := time.perf_counter() - began_s) < seconds:
            for sku, per_s in rates.items():
                for _ in range(int(per_s * since_s) - asked[sku]):
                    asked[sku] += 1
                    self._try(sku)
            await asyncio.sleep(TICK_S)

    def _try(self, sku: str) -> None:
        try:
            self._ask(sku, waits=self._number % self._measured == 0)
        except ProblemError as error:
            self.turned_away += 1
            self.on_turned_away(error)

    def on_turned_away(self, error: ProblemError) -> None:
        """For those who want to know why."""

    def _ask(self, sku: str, *, waits: bool) -> "asyncio.Future[Answer]":
        """As the purchase route does. ProblemError."""
        self._number += 1
        service, partition = self._service, self._service.partition_of(sku)
        order = partition.to_bytes(2, "big") + self._own + self._number.to_bytes(8, "big")
        customer = self._number.to_bytes(8, "big")
        not_after_ms = service.logtime.now_ms(partition) + PATIENCE_MS
        service.check_backlog(service.customers, partition)
        command = Reserve(hold_id(order), sku, customer, 1, not_after_ms, customer)
        seat = service.submit(service.customers, partition, command)
        service.view.ask(order, customer)
        self.asked[sku] += 1
        decided: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if waits:
            seat.decided = decided
            self.waiting += 1
            decided.add_done_callback(partial(self._on_decided, time.perf_counter()))
        return decided

    def _on_decided(self, begun_s: float, decided: "asyncio.Future[Answer]") -> None:
        if not decided.cancelled():
            self.waiting -= 1
            self.outcomes[Outcome(decided.result().outcome).label] += 1
            self.waits_s.append(time.perf_counter() - begun_s)
