"""A gateway without HTTP: what it needs to take a command, and to tell what became of it."""

import asyncio
import math
import secrets
import time
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

from aiokafka import AIOKafkaProducer

from adapters.sealing import Sealer
from adapters.sql.database import Database
from adapters.sql.reading import Reader
from domain.ids import home_partition
from domain.orders import Place
from domain.outcomes import Outcome
from domain.roles import Role
from gateway.auth import Authenticator
from gateway.inbox import Inbox
from gateway.logtime import LogTime
from gateway.lookup import Lookup
from gateway.order_reader import OrderReader
from gateway.problems import Problem, ProblemError
from gateway.rates import RateLimiter
from gateway.reader import FactReader
from gateway.streams import Streams
from gateway.tail import Tail
from gateway.view import Answer, View
from gateway.waiting import ACK_S_MAX, Patience
from settings import GatewaySettings
from streams import collector, pulse
from streams.actions import Action
from streams.batcher import Batcher, QueueFullError, Target
from streams.identity import Identity
from streams.kafka import producer
from streams.keys import Keys
from streams.logs import Log
from streams.metrics import GatewayMetrics
from streams.order_records import BATCHES as ORDER_BATCHES
from streams.order_records import OrderCommand
from streams.protocol import Tick
from streams.records import BatchCodec
from streams.seats import Batch, Seat
from streams.stock_records import BATCHES
from streams.topics import Topic, Topics, partition_of

C = TypeVar("C", bound=tuple[Any, ...])

PATIENCE_S = 1.5
"""A batch unacked for so long: the broker is known to be away (an ack takes 0.4-4 ms)."""
WATCH_S = 0.5
CALM_S = 0.5
"""An expected wait below which a partition that was behind has caught up."""
SKUS_CACHED = 65_536
"""murmur2 in Python costs 5 us a SKU, a look-up 0.1; about 200 bytes each, 13 MiB."""


class Service:
    """Composition root of a gateway. Make it inside the running loop, then `run` it.

    Commands of customers go as role gateway, those that need scope ops as role ops: each role has a batcher for stock
    and one for orders.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        servers: str,
        topics: Topics,
        identity: Identity,
        keys: Keys,
        address_key: bytes,
    ) -> None:
        self.keys = keys
        self._customer_key = keys.customer_id
        self.partitions = identity.partitions
        self.log = Log("gateway", gateway=settings.gateway)
        self.metrics = GatewayMetrics()
        self.auth = Authenticator(keys)
        self.rates = RateLimiter(settings.rate_per_s, settings.rate_burst, time.monotonic)
        self.streams = Streams(self.metrics)
        self.patience = Patience()
        self._clock_s = asyncio.get_running_loop().time
        self.logtime = LogTime(identity.partitions)
        self.order_time = LogTime(identity.partitions)
        self.ready = asyncio.Event()
        self.draining = False
        self._shedding: set[int] = set()
        self.partition_of = lru_cache(SKUS_CACHED)(lambda sku: partition_of(sku, identity.partitions))
        life = f"{settings.gateway[:64]}@{secrets.token_hex(6)}"

        def batcher(topic: Topic, codec: BatchCodec[C], role: Role, times: LogTime) -> Batcher[C]:
            sender = f"{life}/{topic.name.rpartition('.')[0].rpartition('.')[2]}/{role.name.lower()}"
            target = Target(topic.name, self.partitions, codec, identity.log_id, role, sender)

            def on_acked(batch: Batch[C]) -> None:
                self.metrics.appended(batch.commands)
                times.see(batch.partition, batch.timestamp_ms)

            def make() -> AIOKafkaProducer:
                return producer(servers, target.sender)

            return Batcher(
                target,
                make,
                pace_ms=settings.batch_pace_ms,
                queue_max=settings.queue_max,
                wait_max_s=settings.wait_max_s,
                on_acked=on_acked,
                on_broken=self._on_broken,
            )

        self.customers = batcher(topics.stock_commands, BATCHES, Role.GATEWAY, self.logtime)
        self.operators = batcher(topics.stock_commands, BATCHES, Role.OPS, self.logtime)
        self.order_customers = batcher(topics.order_commands, ORDER_BATCHES, Role.GATEWAY, self.order_time)
        self.order_operators = batcher(topics.order_commands, ORDER_BATCHES, Role.OPS, self.order_time)
        self.batchers: tuple[Batcher[Any], ...] = (
            self.customers, self.operators, self.order_customers, self.order_operators,
        )  # fmt: skip
        own = {batcher.target.sender: batcher.settle for batcher in (self.customers, self.operators)}
        self.view = View(self.partitions, own)
        self.reader = FactReader(servers, topics, self.view, self.logtime, settings.view_window_s * 1000)
        own_orders = {one.target.sender: one.settle for one in (self.order_customers, self.order_operators)}
        self.tail = Tail(self.partitions, own_orders, self._on_decided)
        self.metrics.tail.set_function(self.tail.__len__)
        self.inbox = Inbox(settings.webhook_secrets.get_secret_value(), identity)
        self.database = Database(settings.sql_url)
        self.sealer = Sealer(self.database, address_key)
        self.lookup = Lookup(Reader(self.database, identity.log_id.hex()), self.tail)
        self.order_reader = OrderReader(servers, topics, self.tail, self.lookup, self.order_time, self.metrics.alarm)

    # --- life -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled. Any exception out of here ends the process: the supervisor starts another."""
        async with asyncio.TaskGroup() as group:
            for batcher in self.batchers:
                group.create_task(batcher.run())
            group.create_task(self._watch())
            group.create_task(pulse.run(self.metrics.late))
            group.create_task(collector.run(self.metrics.collected))
            await self._probe()
            group.create_task(self.reader.run(self.partitions, self.log))
            group.create_task(self.order_reader.run(self.partitions, self.log))
            await self.reader.caught_up.wait()
            await self.order_reader.caught_up.wait()
            self.ready.set()

    async def drain(self, seconds: float) -> None:
        """Take nothing more; wait until what was taken is in the log."""
        self.draining = True
        for batcher, done in zip(
            self.batchers, await asyncio.gather(*(one.flush(seconds) for one in self.batchers)), strict=True
        ):
            if not done:
                self.log(Action.OUTCOME_UNKNOWN, commands=batcher.queued(), partition="any")

    def close(self) -> None:
        """At the very end: let SQL go."""
        self.lookup.close()
        self.database.close()

    async def _probe(self) -> None:
        """A TICK into every partition of both logs: writing works, and the ack tells log time."""
        await asyncio.gather(*(self._tick(batcher) for batcher in (self.customers, self.order_customers)))

    async def _tick(self, batcher: Batcher[Any]) -> None:
        seats = [batcher.submit(partition, Tick()) for partition in range(self.partitions)]
        loop = asyncio.get_running_loop()
        for seat in seats:
            seat.acked = loop.create_future()
        await asyncio.gather(*(seat.acked for seat in seats if seat.acked is not None))
        for seat in seats:
            if seat.batch is not None:
                batcher.settle(seat.batch.number)  # nobody publishes what a tick did not do

    async def _watch(self) -> None:
        """Say when the broker goes and comes, and how long the queues are."""
        was_away = False
        while True:
            await asyncio.sleep(WATCH_S)
            is_away = self.is_away()
            if is_away != was_away:
                self.log(Action.BROKER_AWAY, reason="appends are not acked") if is_away else self.log(
                    Action.BROKER_BACK
                )
            was_away = is_away
            for partition in range(self.partitions):
                self.metrics.queued(partition, sum(batcher.waiting(partition) for batcher in self.batchers))
                self._tell_backlog(partition)

    def _tell_backlog(self, partition: int) -> None:
        """How far behind the owners of stock and of orders are, as far as this gateway can tell."""
        now_s = self._clock_s()
        backlogs = [batcher.backlog(partition) for batcher in self.batchers]
        undecided = sum(backlog.undecided for backlog in backlogs)
        wait_s = max(backlog.wait_s(now_s) for backlog in backlogs)
        self.metrics.behind(partition, undecided, wait_s)
        if any(backlog.is_over(now_s) for backlog in backlogs):
            if partition not in self._shedding:
                self.log(Action.SHEDDING, partition=partition, undecided=undecided)
                self._shedding.add(partition)
        elif wait_s < CALM_S and partition in self._shedding:
            self.log(Action.SHED, partition=partition)
            self._shedding.remove(partition)

    def is_away(self) -> bool:
        """Whether appends to some partition are known not to get through."""
        return any(
            batcher.away(partition, PATIENCE_S) for batcher in self.batchers for partition in range(self.partitions)
        )

    def _on_broken(self, error: BaseException) -> None:
        self.metrics.append_failures.inc()
        self.log(Action.PRODUCER_REPLACED, reason=repr(error))

    def _on_decided(self, command: OrderCommand, outcome: int) -> None:
        if isinstance(command, Place) and outcome != Outcome.PLACED:
            self.view.forget(command.order)

    # --- commands -------------------------------------------------------------------------------------------------

    def check_rate(self, client: str) -> None:
        """ProblemError (429) if this client asked too often."""
        wait_s = self.rates.wait_s(client)
        if wait_s:
            headers = {"Retry-After": str(max(1, round(wait_s)))}
            raise ProblemError(Problem.TOO_MANY, "slow down", headers=headers)

    def check_customer_key(self, sku: str) -> None:
        """ProblemError (503) if the SKU's customers are hashed with a key that is not ours: limits would not hold."""
        pool = self.view.pools.get(sku)
        if pool is not None and pool.customer_key != self._customer_key:
            raise ProblemError(Problem.WRONG_KEY)

    def check_backlog(self, batcher: Batcher[Any], partition: int) -> None:
        """ProblemError (503) if the owner of a partition has fallen behind: a purchase would be decided too late."""
        now_s = self._clock_s()
        backlog = batcher.backlog(partition)
        if backlog.is_over(now_s):
            wait_s = backlog.wait_s(now_s)
            self._shed("behind", f"a decision takes about {wait_s:.1f} s at the moment", wait_s)

    def home(self, order: bytes) -> int:
        """The partition of an order; ProblemError (404) if there is no such partition."""
        partition = home_partition(order)
        if partition >= self.partitions:
            raise ProblemError(Problem.NOT_FOUND, "no such order")
        return partition

    async def seal(self, customer: bytes, order: bytes, address: bytes) -> bytes:
        """An address that only confirmation can open. ProblemError (503) if the customer's key cannot be had."""
        return await self.lookup.read(lambda: self.sealer.seal(customer, order, address))

    def submit(self, batcher: Batcher[C], partition: int, command: C) -> Seat[C]:
        """Queue a command; ProblemError (503) if this gateway, or the broker, cannot take it now."""
        if not self.ready.is_set() or self.draining:
            self._shed("not-ready", "this gateway is not ready")
        if batcher.away(partition, PATIENCE_S):
            self._shed("broker-away", "the broker is away")
        try:
            return batcher.submit(partition, command)
        except QueueFullError as error:
            self._shed("queue-full", str(error), error.wait_s)

    def _shed(self, reason: str, detail: str, wait_s: float = 1.0) -> NoReturn:
        self.metrics.shed(reason)
        headers = {"Retry-After": str(max(1, math.ceil(wait_s)))}
        raise ProblemError(Problem.UNAVAILABLE, f"{detail}; nothing was appended", headers=headers)

    async def decide(
        self, batcher: Batcher[C], partition: int, command: C, seconds: float = ACK_S_MAX
    ) -> tuple[Seat[C], Answer | None]:
        """Submit a command and wait for its decision; None in place of it when it is only known to be in the log.

        ProblemError as `submit`, and 503 or 504 when not even the ack came in time.
        """
        seat = self.submit(batcher, partition, command)
        answer = await self.patience.decided(seat, seconds)
        if answer is None:
            await self.patience.acked(seat, ACK_S_MAX - seconds)
        return seat, answer
