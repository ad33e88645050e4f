"""Load as it is made: closed and open, and what an open loop's latencies count from."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from bench.latency import Latencies
from bench.load import Load, spread
from bench.load_process import _Run
from domain.ids import Receipt
from domain.outcomes import Outcome
from gateway.problems import Problem, ProblemError
from gateway.view import Answer
from streams.topics import partition_of

SKUS = ["a"]
GRANTED = Answer(int(Outcome.GRANTED), repeated=False, receipt=Receipt(0, 1, 0), grant=None)


class Counter:
    """A gateway's service that answers in the next turn of the loop, unless it is told to do something else first."""

    def __init__(self, before=lambda _: None, answer=GRANTED):
        self.customers = None
        self.logtime = SimpleNamespace(not_after_ms=lambda _: 0)
        self.asked = []
        self._before = before
        self._answer = answer

    def partition_of(self, sku):
        return partition_of(sku, 4)

    def submit(self, _, __, command):
        self.asked.append(command)
        self._before(len(self.asked))
        seat = SimpleNamespace(decided=None)
        asyncio.get_running_loop().call_soon(lambda: seat.decided.set_result(self._answer))
        return seat


async def test_an_open_loop_asks_as_often_as_it_should_by_other_customers_for_each_sku():
    counter = Counter()
    measured = await _Run(counter, Load(["a", "b"], 0.2, rate_per_s=1_000)).run()
    assert (measured.decided, measured.shed, len(counter.asked)) == (200, 0, 200)
    assert len({(one.hold, one.customer) for one in counter.asked}) == 200
    assert {one.sku for one in counter.asked} == {"a", "b"}
    assert measured.seconds >= 0.199


async def test_a_pause_is_in_the_latency_of_every_request_that_was_due_in_it():
    """A loop that waited before it sent on would have one slow request of 200 (coordinated omission)."""
    pause_s = 0.3

    def stand_still(number):
        if number == 50:
            time.sleep(pause_s)

    load = Load(SKUS, 1.0, rate_per_s=200, moments=True)
    measured = await _Run(Counter(stand_still), load).run()
    waits = sorted(one.decided_s - one.due_s for one in measured.moments)
    assert measured.decided == 200
    assert all(wait >= 0 for wait in waits)
    assert sum(wait > pause_s / 2 for wait in waits) >= 25  # of the 60 that were due in the pause, the first half
    latencies = Latencies()
    latencies.merge(measured.latencies)
    assert latencies.figures()["max_ms"] == pytest.approx(waits[-1] * 1000, rel=2e-3)


async def test_a_closed_loop_has_as_many_on_their_way_as_there_are_clients():
    counter, most = Counter(), 0
    run = _Run(counter, Load(SKUS, 0.1, clients=7))

    def count(asked):
        nonlocal most
        most = max(most, asked - len(run._waits))

    counter._before = count
    measured = await run.run()
    assert most == 7
    assert measured.decided == len(counter.asked) > 7


async def test_what_is_not_taken_is_counted_and_not_waited_for():
    def refuse(number):
        if number > 10:
            raise ProblemError(Problem.UNAVAILABLE)

    measured = await _Run(Counter(refuse), Load(SKUS, 0.1, rate_per_s=200)).run()
    assert (measured.decided, measured.shed) == (10, 10)


async def test_an_answer_that_was_not_asked_for_fails_the_run():
    refused = Answer(int(Outcome.SOLD_OUT), repeated=False, receipt=Receipt(0, 1, 0), grant=None)
    with pytest.raises(AssertionError, match="instead of"):
        await _Run(Counter(answer=refused), Load(SKUS, 0.05, rate_per_s=100)).run()


def test_spread_skus_are_one_a_partition():
    assert [partition_of(sku, 8) for sku in spread(8)] == list(range(8))
