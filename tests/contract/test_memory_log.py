"""The log in memory keeps the port's contract."""

import itertools

import pytest

from streams.memory_log import MemoryLog
from tests.contract.suite import LogContract


class TestMemoryLog(LogContract):
    @pytest.fixture
    def topic(self):
        return "events"

    @pytest.fixture
    def log(self, topic):
        clock = itertools.count(1_700_000_000_000)
        return MemoryLog([topic], 4, lambda: next(clock))

    @pytest.fixture
    def trim(self, log):
        async def trim(topic, partition, before):
            log.trim(topic, partition, before)

        return trim

    async def test_stamps_with_the_clock_that_it_was_given(self):
        log = MemoryLog(["events"], 1, lambda: 42)
        assert await log.append("events", 0, b"x") == (0, 42)

    async def test_nothing_is_trimmed_that_was_not_written(self, log, topic):
        with pytest.raises(ValueError, match="ends before 1"):
            log.trim(topic, 0, 1)
