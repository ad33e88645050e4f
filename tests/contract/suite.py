"""What every adapter of the port in streams/log.py must do. Subclasses bring the fixtures `log`, `topic`, `trim`."""

import asyncio
import contextlib

import pytest

from streams.log import Log, Record, TrimmedError, UnknownTopicError
from streams.topics import RECORD_BYTES_MAX


class LogContract:
    """Fixtures: `log` (started), `topic` (4 empty partitions), `trim` (async: topic, partition, before)."""

    async def read(self, log: Log, *args) -> list[Record]:
        return [record async for record in log.read(*args)]

    async def fill(self, log: Log, topic: str, partition: int, count: int) -> list[Record]:
        records = []
        for number in range(count):
            value = f"{partition}:{number}".encode()
            offset, timestamp_ms = await log.append(topic, partition, value)
            records.append(Record(offset, timestamp_ms, value))
        return records

    async def test_an_empty_partition_begins_and_ends_at_0(self, log, topic):
        assert await log.beginning(topic, 0) == 0
        assert await log.end(topic, 0) == 0
        assert await self.read(log, topic, 0, 0) == []

    async def test_offsets_are_dense_and_a_reader_sees_what_the_append_said(self, log, topic):
        appended = await self.fill(log, topic, 1, 20)
        assert [record.offset for record in appended] == list(range(20))
        assert await self.read(log, topic, 1, 0) == appended
        assert await log.end(topic, 1) == 20

    async def test_log_time_does_not_go_back(self, log, topic):
        times = [record.timestamp_ms for record in await self.fill(log, topic, 0, 10)]
        assert times == sorted(times)
        assert times[0] > 0

    async def test_partitions_are_apart(self, log, topic):
        first, second = await self.fill(log, topic, 2, 3), await self.fill(log, topic, 3, 2)
        assert await self.read(log, topic, 2, 0) == first
        assert await self.read(log, topic, 3, 0) == second
        assert await log.end(topic, 0) == 0

    async def test_reads_from_start_up_to_end_without_it(self, log, topic):
        appended = await self.fill(log, topic, 0, 10)
        assert await self.read(log, topic, 0, 3, 7) == appended[3:7]
        assert await self.read(log, topic, 0, 9, 10) == appended[9:]

    async def test_reads_no_further_than_the_log_reaches(self, log, topic):
        appended = await self.fill(log, topic, 0, 5)
        assert await self.read(log, topic, 0, 2, 99) == appended[2:]
        assert await self.read(log, topic, 0, 5) == []
        assert await self.read(log, topic, 0, 7, 99) == []

    async def test_a_read_does_not_see_what_comes_after_it_began(self, log, topic):
        appended = await self.fill(log, topic, 0, 3)
        seen = []
        async with contextlib.aclosing(log.read(topic, 0, 0)) as records:
            async for record in records:
                seen.append(record)
                await log.append(topic, 0, b"later")
        assert seen == appended
        assert await log.end(topic, 0) == 6

    async def test_a_reader_may_leave_early(self, log, topic):
        appended = await self.fill(log, topic, 0, 5)
        async with contextlib.aclosing(log.read(topic, 0, 0)) as records:
            async for record in records:
                assert record == appended[0]
                break
        assert await self.read(log, topic, 0, 0) == appended

    async def test_readers_and_writers_side_by_side(self, log, topic):
        await asyncio.gather(*(self.fill(log, topic, partition, 10) for partition in range(4) for _ in range(3)))
        read = await asyncio.gather(*(self.read(log, topic, partition, 0) for partition in range(4)))
        for partition, records in enumerate(read):
            assert [record.offset for record in records] == list(range(30))
            values = sorted(record.value for record in records)
            assert values == sorted(f"{partition}:{number}".encode() for number in range(10) for _ in range(3))

    async def test_values_are_bytes_as_they_are(self, log, topic):
        values = [b"", b"\x00\xff" * 300, bytes(range(256)), b"x" * 900 * 1024]
        for value in values:
            await log.append(topic, 0, value, key=b"k")
        assert [record.value for record in await self.read(log, topic, 0, 0)] == values

    async def test_a_record_over_4_mib_is_refused_and_the_log_goes_on(self, log, topic):
        with pytest.raises(ValueError, match=r"\d{7} bytes"):
            await log.append(topic, 0, b"x" * (RECORD_BYTES_MAX + 1))
        assert await log.end(topic, 0) == 0
        assert (await log.append(topic, 0, b"y")).offset == 0

    async def test_what_was_trimmed_is_not_skipped_silently(self, log, topic, trim):
        appended = await self.fill(log, topic, 0, 10)
        await trim(topic, 0, 4)
        assert await log.beginning(topic, 0) == 4
        assert await log.end(topic, 0) == 10
        assert await self.read(log, topic, 0, 4) == appended[4:]
        with pytest.raises(TrimmedError, match="begins at 4, not at 3"):
            await self.read(log, topic, 0, 3)

    async def test_a_log_that_is_trimmed_to_its_end_goes_on_there(self, log, topic, trim):
        await self.fill(log, topic, 0, 3)
        await trim(topic, 0, 3)
        assert await log.beginning(topic, 0) == await log.end(topic, 0) == 3
        assert (await log.append(topic, 0, b"next")).offset == 3
        with pytest.raises(TrimmedError):
            await self.read(log, topic, 0, 0)

    async def test_a_topic_or_partition_that_is_not_there_is_an_error_at_once(self, log, topic):
        for name, partition in (("nowhere", 0), (topic, 4)):
            with pytest.raises(UnknownTopicError):
                await log.append(name, partition, b"x")
            with pytest.raises(UnknownTopicError):
                await log.end(name, partition)
            with pytest.raises(UnknownTopicError):
                await log.beginning(name, partition)
            with pytest.raises(UnknownTopicError):
                await self.read(log, name, partition, 0)
