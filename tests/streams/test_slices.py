"""Long work gives way every few milliseconds, and takes half a core at most where it shares."""

import asyncio
import time

from streams.slices import PROMPT_S, PROMPT_TURNS, SLICE_S, Slices


def work(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


async def test_short_work_does_not_give_way():
    assert not await Slices().pause()


async def test_a_slice_of_what_sends_is_shorter():
    slices = Slices()
    work(PROMPT_S)
    assert not await slices.pause()
    assert await slices.pause(prompt=True)
    assert not await slices.pause(prompt=True)


async def test_a_prompt_pause_is_some_turns_long():
    slices, turns = Slices(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    work(PROMPT_S)
    await slices.pause(prompt=True)
    task.cancel()
    assert turns == PROMPT_TURNS


async def test_others_run_while_long_work_goes_on():
    slices = Slices()
    ran = []

    async def other() -> None:
        while True:
            ran.append(time.perf_counter())
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    for _ in range(5):
        work(SLICE_S)
        assert await slices.pause()
    task.cancel()
    assert len(ran) >= 5


async def test_sharing_work_sleeps_as_long_as_it_worked():
    slices = Slices()
    began = time.perf_counter()
    for _ in range(5):
        work(SLICE_S)
        await slices.pause(share=True)
    assert time.perf_counter() - began >= 10 * SLICE_S
