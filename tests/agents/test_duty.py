"""The frame around a handler, without a broker: what ends the process, and what a stop waits for."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from agents import duty, exits
from agents.duty import Context, Duty, Shell
from agents.program import Program
from streams.identity import Identity
from streams.logs import Log
from streams.machine import Member
from streams.metrics import AgentMetrics
from streams.topics import named

SOURCE = TopicPartition("order.events", 1)


class EndError(BaseException):
    """Instead of os._exit, which no test survives."""


class Hand:
    """A handler that does each chunk when it is let."""

    def __init__(self) -> None:
        self.begun = 0
        self.done = 0
        self.cancelled = 0
        self.may = asyncio.Event()
        self.error: Exception | None = None

    async def start(self, context: Context) -> None:
        """Nothing to connect."""

    async def stop(self) -> None:
        """Nothing to disconnect."""

    async def take(self, source: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        self.begun += 1
        try:
            await self.may.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error:
            raise self.error
        self.done += 1


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def ended(monkeypatch) -> list[int]:
    """Exit codes."""
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        raise EndError

    monkeypatch.setattr(duty.os, "_exit", end)
    return codes


@pytest.fixture
async def shell(hand):
    topics = named("")
    member = Member("r1", "r1@abc", "1")
    program = Program("test", member, "127.0.0.1:9092", Identity(bytes(16), 4), asyncio.get_running_loop(), Log("test"))
    shell = Shell(hand, Duty("test", [topics.order_events], []), program, "g", topics, AgentMetrics())
    yield shell
    shell.app.consumer._thread.thread_loop.close()


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_bug_in_a_handler_ends_the_process(shell, hand, ended):
    hand.error = ValueError("a bug")
    hand.may.set()
    with pytest.raises(EndError):
        await shell.take([(SOURCE, [])])
    assert ended == [exits.SOFTWARE]


async def test_a_chunk_that_is_cancelled_is_cancelled_in_the_handler_and_ends_nothing(shell, hand, ended):
    taking = asyncio.ensure_future(shell.take([(SOURCE, [])]))
    await turn()
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await turn()
    assert (hand.cancelled, ended) == (1, [])


async def test_who_leaves_finishes_the_chunk_at_hand_and_begins_no_other(shell, hand, ended):
    first, second = (asyncio.ensure_future(shell.take([(SOURCE, [])])) for _ in range(2))
    await turn()
    leaving = asyncio.ensure_future(shell.leave())
    second.cancel()
    third = asyncio.ensure_future(shell.take([(SOURCE, [])]))
    await turn()
    assert (hand.begun, leaving.done()) == (1, False)
    hand.may.set()
    await first
    await leaving
    await turn()
    assert (hand.begun, hand.done, third.done()) == (1, 1, False)
    third.cancel()


async def test_who_leaves_does_not_wait_for_ever(shell, hand, ended, monkeypatch):
    monkeypatch.setattr(duty, "FAREWELL_S", 0.01)
    taking = asyncio.ensure_future(shell.take([(SOURCE, [])]))
    await turn()
    await shell.leave()
    assert hand.done == 0
    taking.cancel()


async def test_what_runs_beside_the_chunks_may_end_but_not_fail(shell, ended):
    async def fine() -> None:
        """Ends."""

    async def buggy() -> None:
        raise ValueError

    failed = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context["exception"]))
    shell.watch(fine())
    await turn()
    assert ended == []
    shell.watch(buggy())
    await turn()
    assert ended == [exits.SOFTWARE]
