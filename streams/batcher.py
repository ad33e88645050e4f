"""Joins commands into records of a commands topic: the cost is per record, not per command.

A command gets a `Seat`: first in the queue of its partition, then at an index of a batch. Who wants to know waits on
`seat.acked` (Kafka has it: its place is `batch.offset`, `seat.index`) or `seat.decided` (the reader of facts found
the batch by its number in `undecided` and answered its seats). Nobody else costs a future, and no command a task.

Order within a partition is the order of `submit`. A batch keeps its number and its bytes until it is acked, whatever
happens to producers in between; so a record may be appended twice, which the folds absorb.
"""

import asyncio
import contextlib
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from domain.roles import Role
from streams.backlog import Backlog
from streams.records import BATCH_COMMANDS_MAX, BatchCodec
from streams.seats import Batch, Seat

C = TypeVar("C", bound=tuple[Any, ...])

WINDOW = 8
"""Unacked batches per partition. At one per 5 ms that is 40 ms of acks, ten times what an ack takes (0.4-4 ms); full
ones come faster, and wait."""
UNDECIDED_MAX = 200_000
"""Commands of ours whose decision is not seen yet: about 0.5 KiB each, so 100 MiB. The oldest are forgotten: their
answer is then found only by asking again with the same key."""
RETRY_S = 0.1
RETRY_S_MAX = 1.0
STEADY_S = 5.0
"""A producer that worked for so long is replaced after RETRY_S."""
FLUSH_POLL_S = 0.005
CLOSE_S = 45.0
"""A broken producer is closed when its last batch is given up: aiokafka's delivery timeout is 40 s."""
STOP_S = 2.0
"""The last one, at the end: whoever stops has flushed before, as long as was worth it."""


class QueueFullError(Exception):
    """Too much waits for this partition already: nothing was taken, try again in `wait_s` or so."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


class Producer(Protocol):
    """What the batcher asks of a producer: aiokafka's, idempotent and acks=all (streams/kafka.py)."""

    async def start(self) -> None:
        """Connect; KafkaError if there is no broker."""

    async def stop(self) -> None:
        """Flush and close."""

    async def send(self, topic: str, value: bytes, *, partition: int) -> asyncio.Future[RecordMetadata]:
        """Queue a record; the future has its place, or the error after which this producer is of no use."""


class Target(NamedTuple, Generic[C]):
    """Where the commands go and whose they are. `sender` must be new for every life of a process."""

    topic: str
    partitions: int
    codec: BatchCodec[C]
    log_id: bytes
    role: Role
    sender: str


class _Link:
    """A producer, until a send fails: its sequence has a gap then, and all that it sends after would fail too."""

    __slots__ = ("broken", "producer")

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.broken = asyncio.Event()


class _Lane(Generic[C]):
    """One partition. At `beat_s` the next batch may start."""

    __slots__ = ("backlog", "beat_s", "link", "partition", "queue", "room", "unacked", "waiting", "wake")

    def __init__(self, partition: int, wait_max_s: float) -> None:
        self.partition = partition
        self.backlog = Backlog(wait_max_s)
        self.queue: deque[Seat[C]] = deque()
        self.unacked: OrderedDict[int, Batch[C]] = OrderedDict()
        self.waiting = 0
        self.beat_s = 0.0
        self.link: _Link | None = None
        self.wake = asyncio.Event()
        self.room = asyncio.Event()


class Batcher(Generic[C]):
    """Batches for all partitions of one commands topic, by one role. Use inside one event loop.

    `on_acked` and `on_broken` (why a producer is replaced) are called at once and must not raise or take long.
    Pacing: batches start at beats of `pace_ms`; at once the first of an idle partition, and what is full by its turn.
    So a busy partition gets few large records instead of many small ones, and as the beats are the same for all, busy
    partitions share the requests, here and wherever their records and answers pass: a request costs more than a record.
    """

    def __init__(
        self,
        target: Target[C],
        producers: Callable[[], Producer],
        *,
        pace_ms: int,
        queue_max: int,
        wait_max_s: float = math.inf,
        on_acked: Callable[[Batch[C]], None],
        on_broken: Callable[[BaseException], None],
    ) -> None:
        self.target = target
        self.undecided: OrderedDict[int, Batch[C]] = OrderedDict()
        self.replaced = 0
        self._undecided_commands = 0
        self._producers = producers
        self._pace_s = pace_ms / 1000
        self._queue_max = queue_max
        self._on_acked = on_acked
        self._on_broken = on_broken
        self._number = 0
        self._lanes: list[_Lane[C]] = [_Lane(partition, wait_max_s) for partition in range(target.partitions)]
        self._link: _Link | None = None
        self._linked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    # --- for callers ----------------------------------------------------------------------------------------------

    def submit(self, partition: int, command: C) -> Seat[C]:
        """Queue a command; QueueFullError if `queue_max` commands of this partition are not decided yet."""
        lane = self._lanes[partition]
        backlog = lane.backlog
        if backlog.undecided >= self._queue_max:
            message = f"{backlog.undecided} commands wait for partition {partition}"
            raise QueueFullError(message, backlog.wait_s(self._loop.time()))
        seat = Seat(command)
        backlog.enter()
        lane.waiting += 1
        if not lane.queue:  # else the pump is at work already, or woken
            lane.wake.set()
        lane.queue.append(seat)
        return seat

    def away(self, partition: int, patience_s: float) -> bool:
        """Is the broker known to be away? No producer, or a batch of this partition unacked for `patience_s`."""
        if self._link is None:
            return True
        for batch in self._lanes[partition].unacked.values():
            return self._loop.time() - batch.handed_s > patience_s
        return False

    def settle(self, number: int) -> Batch[C] | None:
        """The batch of this number, once: its decision was seen. The caller dismisses its seats."""
        batch = self.undecided.pop(number, None)
        if batch is not None:
            self._undecided_commands -= batch.commands
            self._lanes[batch.partition].backlog.decide(number, self._loop.time())
        return batch

    def waiting(self, partition: int) -> int:
        """Commands of this partition that are not acked yet."""
        return self._lanes[partition].waiting

    def backlog(self, partition: int) -> Backlog:
        """What of this partition is not decided yet; its clock is the loop's."""
        return self._lanes[partition].backlog

    def queued(self) -> int:
        """Commands that are not acked yet, over all partitions."""
        return sum(lane.waiting for lane in self._lanes)

    # --- life -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send until cancelled. An exception out of here is a bug, or a topic that is not what it was."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_link(group))
            for lane in self._lanes:
                group.create_task(self._pump(lane))

    async def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued is acked; False if it was not in time."""
        deadline_s = self._loop.time() + timeout_s
        while self.queued():
            if self._loop.time() >= deadline_s:
                return False
            await asyncio.sleep(FLUSH_POLL_S)
        return True

    # --- sending --------------------------------------------------------------------------------------------------

    async def _pump(self, lane: _Lane[C]) -> None:
        """One partition, strictly in order."""
        while True:
            await lane.wake.wait()
            lane.wake.clear()
            await self._mend(lane)
            while lane.queue:
                await self._turn(lane)
                batch = self._cut(lane)
                if batch is not None:
                    await self._hand(lane, batch)

    async def _turn(self, lane: _Lane[C]) -> None:
        """Wait until the next batch may start: its pace (unless it is full), room in the window, a working producer."""
        delay_s = lane.beat_s - self._loop.time()
        if delay_s > 0 and len(lane.queue) < BATCH_COMMANDS_MAX:
            await asyncio.sleep(delay_s)
        await self._mend(lane)
        while len(lane.unacked) >= WINDOW:
            lane.room.clear()
            await lane.room.wait()
            await self._mend(lane)

    def _beat_after(self, now_s: float) -> float:
        """The first beat in half a pace or later."""
        pace_s = self._pace_s
        return math.ceil(now_s / pace_s + 0.5) * pace_s if pace_s else now_s

    async def _mend(self, lane: _Lane[C]) -> None:
        """Through a new producer, what the one before did not get acked: the same bytes, in order."""
        while lane.link is None or lane.link.broken.is_set():
            await self._linked.wait()
            lane.link = self._link
            for batch in list(lane.unacked.values()):
                if not batch.acked:
                    await self._hand(lane, batch)

    def _cut(self, lane: _Lane[C]) -> Batch[C] | None:
        """Take what fits into one record off the queue; None if all of it was withdrawn."""
        queue = lane.queue
        taken = [queue.popleft() for _ in range(min(len(queue), BATCH_COMMANDS_MAX))]
        seats = [seat for seat in taken if not seat.withdrawn]
        lane.waiting -= len(taken) - len(seats)
        lane.backlog.withdraw(len(taken) - len(seats))
        if not seats:
            return None
        self._number += 1
        target = self.target
        value, count = target.codec.fill(
            target.log_id, target.role, target.sender, self._number, [seat.command for seat in seats]
        )
        queue.extendleft(reversed(seats[count:]))
        del seats[count:]
        now_s = self._loop.time()
        batch = Batch(self._number, lane.partition, seats, value, now_s)
        for index, seat in enumerate(seats):
            seat.batch = batch
            seat.index = index
        lane.beat_s = self._beat_after(now_s)
        lane.unacked[batch.number] = batch
        lane.backlog.hand(batch.number, len(seats), now_s)
        self._remember(batch)
        return batch

    def _remember(self, batch: Batch[C]) -> None:
        self.undecided[batch.number] = batch
        self._undecided_commands += batch.commands
        while self._undecided_commands > UNDECIDED_MAX:
            _, oldest = self.undecided.popitem(last=False)
            self._undecided_commands -= oldest.commands

    async def _hand(self, lane: _Lane[C], batch: Batch[C]) -> None:
        link = lane.link
        if link is None or link.broken.is_set():
            return  # it stays in `unacked`: the lane is woken as soon as there is another producer
        try:
            future = await link.producer.send(self.target.topic, batch.value, partition=lane.partition)
        except KafkaError as error:
            self._broke(link, error)
        else:
            future.add_done_callback(lambda done: self._on_sent(link, lane, batch, done))

    def _on_sent(self, link: _Link, lane: _Lane[C], batch: Batch[C], done: asyncio.Future[RecordMetadata]) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is not None:
            self._broke(link, error)
            return
        if batch.acked:  # sent twice, and both arrived: the first place counts, as in the fold
            return
        place = done.result()
        batch.acked = True
        batch.value = b""
        batch.offset = place.offset
        batch.timestamp_ms = place.timestamp if place.timestamp is not None else -1
        lane.unacked.pop(batch.number)
        lane.waiting -= batch.commands
        lane.room.set()
        for seat in batch.seats:
            if seat.acked is not None and not seat.acked.done():
                seat.acked.set_result(True)
        self._on_acked(batch)

    # --- the producer ---------------------------------------------------------------------------------------------

    def _broke(self, link: _Link, error: BaseException) -> None:
        if not link.broken.is_set():
            self._on_broken(error)
        link.broken.set()
        if self._link is link:  # at once, not when `_keep_link` gets its turn: a lane that looks for another must wait
            self._link = None
            self._linked.clear()
        for lane in self._lanes:
            lane.wake.set()
            lane.room.set()

    async def _keep_link(self, group: asyncio.TaskGroup) -> None:
        """Have a producer that works, for as long as it takes; one that fails at once is not replaced at once."""
        pause_s = RETRY_S
        while True:
            link = _Link(await self._connect())
            since_s = self._loop.time()
            self._link = link
            self._linked.set()
            try:
                await link.broken.wait()
            except asyncio.CancelledError:
                await _close(link.producer, STOP_S)
                raise
            self.replaced += 1
            group.create_task(_close(link.producer, CLOSE_S))
            pause_s = RETRY_S if self._loop.time() - since_s > STEADY_S else min(2 * pause_s, RETRY_S_MAX)
            await asyncio.sleep(pause_s)

    async def _connect(self) -> Producer:
        retry_s = RETRY_S
        while True:
            producer = self._producers()
            try:
                await producer.start()
            except KafkaError:
                await _close(producer, STOP_S)
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, RETRY_S_MAX)
            except asyncio.CancelledError:
                await _close(producer, STOP_S)
                raise
            else:
                return producer


async def _close(producer: Producer, patience_s: float) -> None:
    """What is still in it fails, or arrives late and once more: both are expected, neither is waited for longer."""
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(patience_s):
            await producer.stop()
