"""A gateway without HTTP, and its crowd: `python -m tests.chaos.crowd SKU RATE SECONDS`.

Purchases come at RATE a second, whatever became of those before (open loop); nothing over HTTP is that fast. Prints
`Told` as JSON when all that was admitted is decided, or a minute after.
"""

import asyncio
import sys
import time
from collections import Counter
from functools import partial

import msgspec
import uvloop

from domain.ids import customer_hash, hold_id, order_id
from domain.outcomes import Outcome
from domain.stock import Reserve
from gateway.problems import ProblemError
from gateway.service import Service
from gateway.view import Answer
from settings import GatewaySettings
from streams import collector, keys, runfile
from streams.identity import read_identity
from streams.kafka_log import KafkaLog
from streams.topics import named

TICK_S = 0.005
DECIDED_S = 60.0


class Told(msgspec.Struct, tag_field="action", tag="crowd.told"):
    """What the crowd saw. Waits are those for a decision, of what was admitted."""

    asked: int = 0
    admitted: int = 0
    decided: int = 0
    longest_s: float = 0.0
    outcomes: dict[str, int] = {}
    problems: dict[str, int] = {}
    retry_after_s_max: int = 0


class Crowd:
    """Buyers of one SKU at one gateway."""

    def __init__(self, service: Service, sku: str) -> None:
        self.told = Told()
        self._service = service
        self._sku = sku
        self._partition = service.partition_of(sku)
        self._outcomes: Counter[int] = Counter()
        self._problems: Counter[str] = Counter()

    async def offer(self, rate: float, seconds: float) -> None:
        """Ask so often for so long."""
        began_s = time.monotonic()
        while (since_s := time.monotonic() - began_s) < seconds:
            while self.told.asked < rate * since_s:
                self._ask()
            await asyncio.sleep(TICK_S)

    async def settle(self) -> Told:
        """Wait until everything is decided."""
        end_s = time.monotonic() + DECIDED_S
        while self.told.decided < self.told.admitted and time.monotonic() < end_s:
            await asyncio.sleep(TICK_S)
        self.told.outcomes = {Outcome(code).label: count for code, count in self._outcomes.items()}
        self.told.problems = dict(self._problems)
        return self.told

    def _ask(self) -> None:
        told, service, partition = self.told, self._service, self._partition
        told.asked += 1
        customer = f"crowd-{told.asked}"
        order = order_id(service.keys.customer, customer, "k", partition)
        hashed = customer_hash(service.keys.customer, customer)
        not_after_ms = service.logtime.not_after_ms(partition)
        try:
            service.check_backlog(service.customers, partition)
            seat = service.submit(
                service.customers, partition, Reserve(hold_id(order), self._sku, hashed, 1, not_after_ms, bytes(8))
            )
        except ProblemError as error:
            self._problems[error.problem.label] += 1
            told.retry_after_s_max = max(told.retry_after_s_max, int((error.headers or {})["Retry-After"]))
            return
        service.view.ask(order, hashed)
        told.admitted += 1
        seat.decided = asyncio.get_running_loop().create_future()
        seat.decided.add_done_callback(partial(self._on_decided, time.monotonic()))

    def _on_decided(self, at_s: float, done: "asyncio.Future[Answer]") -> None:
        if not done.cancelled():
            self._outcomes[done.result().outcome] += 1
            self.told.decided += 1
            self.told.longest_s = max(self.told.longest_s, time.monotonic() - at_s)


async def run(sku: str, rate: float, seconds: float) -> Told:
    """Be a gateway for as long as it takes."""
    settings = GatewaySettings()
    servers, topics = runfile.resolve(settings), named(settings.namespace)
    async with KafkaLog(servers, "crowd") as log:
        identity = await read_identity(log, topics)
    folder = settings.data_dir
    service = Service(settings, servers, topics, identity, keys.load(folder), keys.load_address(folder))
    collector.begin()
    working = asyncio.create_task(service.run())
    await service.ready.wait()
    crowd = Crowd(service, sku)
    sys.stdout.write('{"action": "crowd.ready"}\n')
    await crowd.offer(rate, seconds)
    told = await crowd.settle()
    working.cancel()
    await asyncio.wait([working])
    service.close()
    return told


def main() -> int:
    sku, rate, seconds = sys.argv[1:]
    told = uvloop.run(run(sku, float(rate), float(seconds)))
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
