"""The gate: limits for reads and writes, the breaker, a bounded number at once; whoever waits blocks nobody else."""

import asyncio
from time import monotonic

import pytest

from agents.breaker import FAILURES_MAX, Breaker, Circuit
from agents.bucket import Bucket
from agents.gate import Gate
from domain.provider import IntentSeen, Limited, NotSent, Status, Unknown

SEEN = IntentSeen("pi", Status.CANCELED, 900)
OUT = Unknown("connection", outage=True)


class Scene:
    """A gate with a real clock and a breaker that can be told to open."""

    def __init__(self, per_s=0.0, in_flight_max=1_000):
        self.circuits = []
        self.late_s = 0.0
        breaker = Breaker(lambda: monotonic() + self.late_s, lambda: 0.0, self.circuits.append)
        self.gate = Gate(Bucket(per_s, monotonic), Bucket(per_s, monotonic), breaker, in_flight_max)
        self.order = []

    def enter(self, rank=0, *, write=True, wanted=lambda: True):
        return asyncio.ensure_future(self.gate.enter(write=write, rank=rank, wanted=wanted))

    async def open(self):
        for _ in range(FAILURES_MAX):
            self.gate.leave(await self.enter(), OUT)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_than_so_many_are_in_flight_and_the_next_goes_when_one_leaves():
    scene = Scene(in_flight_max=2)
    calls = [scene.enter() for _ in range(3)]
    await settle()
    assert [call.done() for call in calls] == [True, True, False]
    scene.gate.leave(calls[0].result(), SEEN)
    await settle()
    assert calls[2].done()
    assert scene.gate.in_flight == 2


async def test_who_ranks_first_goes_first_and_equals_in_their_order():
    scene = Scene(in_flight_max=1)
    first = scene.enter()
    await settle()
    waiting = [scene.enter(rank) for rank in (2, 1, 2, 0)]
    ticket = first.result()
    gone = []
    for _ in waiting:
        await settle()
        scene.gate.leave(ticket, SEEN)
        await settle()
        (index,) = [n for n, call in enumerate(waiting) if call.done() and n not in gone]
        gone.append(index)
        ticket = waiting[index].result()
    assert gone == [3, 1, 0, 2]


async def test_calls_are_spread_over_the_second_and_reads_do_not_wait_for_writes():
    scene = Scene(per_s=50)
    began = monotonic()
    writes = [scene.enter() for _ in range(20)]
    read = scene.enter(write=False)
    await settle()
    assert read.done()
    assert scene.gate.waiting == sum(not call.done() for call in writes) > 10
    assert scene.gate.queue_s == pytest.approx(scene.gate.waiting / 50)
    await asyncio.gather(*writes)
    assert monotonic() - began >= (20 - 1) / 50 - 0.05 - 0.02


async def test_what_is_no_longer_wanted_is_told_so_and_costs_no_call():
    scene = Scene(per_s=0.01, in_flight_max=10)
    await scene.enter()
    wanted = [True]
    unwanted = scene.enter(wanted=lambda: wanted[0])
    await settle()
    assert not unwanted.done()
    wanted[0] = False
    scene.gate.set_rate(0.01)
    await settle()
    assert unwanted.result() is None
    assert scene.gate.in_flight == 1


async def test_an_open_circuit_keeps_all_waiting_but_the_probe_whose_answer_lets_them_go():
    scene = Scene()
    await scene.open()
    calls = [scene.enter() for _ in range(5)]
    await settle()
    assert not any(call.done() for call in calls)
    assert 1.5 < scene.gate.queue_s <= 2
    scene.late_s = 2.1
    scene.gate.set_rate(0)
    await settle()
    assert [call.done() for call in calls] == [True, False, False, False, False]
    scene.gate.leave(calls[0].result(), SEEN)
    await settle()
    assert all(call.done() for call in calls)
    assert scene.circuits == [Circuit.OPEN, Circuit.HALF_OPEN, Circuit.CLOSED]
    assert scene.gate.outage == "connection"


async def test_a_probe_that_is_not_sent_after_all_says_nothing_and_the_next_goes_in_its_place():
    scene = Scene()
    await scene.open()
    calls = [scene.enter() for _ in range(3)]
    scene.late_s = 2.1
    scene.gate.set_rate(0)
    await settle()
    scene.gate.leave(calls[0].result(), NotSent())
    await settle()
    assert [call.done() for call in calls] == [True, True, False]
    scene.gate.leave(calls[1].result(), SEEN)
    await settle()
    assert calls[2].done()
    assert scene.circuits[-1] is Circuit.CLOSED


async def test_an_unknown_outcome_of_one_call_is_no_outage():
    scene = Scene()
    for _ in range(3 * FAILURES_MAX):
        scene.gate.leave(await scene.enter(), Unknown("http 409 idempotency_key_in_use"))
    assert scene.circuits == []


async def test_a_limit_told_by_the_provider_pauses_its_kind_of_calls():
    scene = Scene()
    scene.gate.leave(await scene.enter(), Limited(60_000))
    write, read = scene.enter(), scene.enter(write=False)
    await settle()
    assert (write.done(), read.done()) == (False, True)
    write.cancel()
