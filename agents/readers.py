"""The two standing readers of an owner role: `hot` brings commands of owned partitions at once, `tail` follows lazily.

Both are assigned every partition from the start and pause what they do not need: an assignment would throw away what
is fetched already, of every partition. Neither has a group or commits: where to read is the machine's to say.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.slices import Slices

POLL_MS = 200
RECORDS_MAX = 500


class Follower(Protocol):
    """A partition as the readers see it."""

    def on_commands(self, records: Sequence[ConsumerRecord]) -> None:
        """Commands records, ascending; some may be known already."""

    def on_ledger(self, record: ConsumerRecord) -> None:
        """A ledger record; `flush` follows."""

    def flush(self) -> None:
        """Carry out what the machine asked for."""

    def on_commands_out_of_range(self) -> None:
        """The commands topic does not have the offset that is wanted next."""

    def on_ledger_out_of_range(self) -> None:
        """The ledger does not have the offset that is wanted next."""


class _Reader:
    """A consumer on all partitions of some topics, each read or not."""

    def __init__(self, consumer: AIOKafkaConsumer, topics: Sequence[str], partitions: int) -> None:
        self._consumer = consumer
        self._sources = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self.beat_s = monotonic()
        """When the loop came round last, for the watchdog."""

    async def start(self) -> None:
        """Connect. KafkaError if the broker does not answer."""
        await self._consumer.start()
        self._consumer.assign(self._sources)
        for source in self._sources:
            self._consumer.seek(source, 0)  # a position must be known even of what is paused
        self._consumer.pause(*self._sources)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    def _read(self, source: TopicPartition, offset: int) -> None:
        self._consumer.seek(source, offset)
        self._consumer.resume(source)

    async def _fetch(self) -> tuple[dict[TopicPartition, list[ConsumerRecord]], list[TopicPartition]]:
        """Records, and partitions whose position the log does not have (they are paused)."""
        self.beat_s = monotonic()
        try:
            return await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX), []
        except OffsetOutOfRangeError as error:
            lost = list(error.args[0])
            self._consumer.pause(*lost)
            return {}, lost


class HotReader(_Reader):
    """Commands of owned partitions, each as soon as it is there."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, partitions: int) -> None:
        super().__init__(consumer, [topic], partitions)
        self._topic = topic

    def read_from(self, partition: int, offset: int) -> None:
        """Read this partition from there on."""
        self._read(TopicPartition(self._topic, partition), offset)

    def pause(self, partition: int) -> None:
        """Read this partition no more, or not now."""
        self._consumer.pause(TopicPartition(self._topic, partition))

    async def run(self, followers: Mapping[int, Follower]) -> None:
        """Feed them for ever."""
        while True:
            fetched, lost = await self._fetch()
            for source in lost:
                loser = followers.get(source.partition)
                if loser:
                    loser.on_commands_out_of_range()
            for source, records in fetched.items():
                follower = followers.get(source.partition)
                if follower:
                    follower.on_commands(records)
            await asyncio.sleep(0)  # getmany does not wait while there is something buffered


class TailReader(_Reader):
    """Ledgers, and commands that others decide: standby, echo of own records and fence detector in one."""

    def __init__(self, consumer: AIOKafkaConsumer, ledger: str, commands: str, partitions: int) -> None:
        super().__init__(consumer, [ledger, commands], partitions)
        self._ledger = ledger
        self._commands = commands

    def follow_ledger(self, partition: int, offset: int) -> None:
        """Go on at this offset."""
        self._read(TopicPartition(self._ledger, partition), offset)

    def follow_commands(self, partition: int, offset: int) -> None:
        """To know whether something waits for a silent owner."""
        self._read(TopicPartition(self._commands, partition), offset)

    def pause_ledger(self, partition: int) -> None:
        """A rebuild brings it, or nobody wants it."""
        self._consumer.pause(TopicPartition(self._ledger, partition))

    def pause_commands(self, partition: int) -> None:
        """The hot reader brings them."""
        self._consumer.pause(TopicPartition(self._commands, partition))

    async def run(self, followers: Mapping[int, Follower]) -> None:
        """Feed them for ever, in slices."""
        slices = Slices()
        while True:
            fetched, lost = await self._fetch()
            for source in lost:
                loser = followers.get(source.partition)
                if loser and source.topic == self._ledger:
                    loser.on_ledger_out_of_range()
                elif loser:
                    loser.on_commands_out_of_range()
            for source, records in sorted(fetched.items(), key=lambda item: item[0].topic != self._ledger):
                follower = followers.get(source.partition)
                if follower is None:
                    continue
                if source.topic == self._ledger:
                    await self._feed(follower, records, slices)
                else:
                    follower.on_commands(records)
            await asyncio.sleep(0)

    async def _feed(self, follower: Follower, records: Sequence[ConsumerRecord], slices: Slices) -> None:
        for record in records:
            follower.on_ledger(record)
            if await slices.pause():
                follower.flush()
        follower.flush()
