"""A loop that is busy with one thing is ended from outside of it; one that goes round, or was left, is not."""

import asyncio
import threading

from streams.loop_guard import LoopGuard, guarded


def test_a_loop_that_does_not_beat_is_ended_and_one_that_beats_is_not():
    ended = threading.Event()
    reasons = []

    def end(reason: str) -> None:
        reasons.append(reason)
        ended.set()

    guard = LoopGuard(end, naps_max=50, nap_s=0.002)
    guard.start()
    for _ in range(20):
        guard.beat()
        assert not ended.wait(0.01)
    assert ended.wait(5)
    assert "busy with one thing" in reasons[0]
    guard.join(5)


def test_a_stopped_guard_ends_nobody():
    guard = LoopGuard(lambda reason: None, naps_max=1_000_000, nap_s=0.001)
    guard.start()
    guard.stop()
    guard.join(5)
    assert not guard.is_alive()


async def test_a_loop_that_spins_is_ended_and_one_that_works_is_not():
    reasons: list[str] = []
    async with guarded(LoopGuard(reasons.append, naps_max=40, nap_s=0.005)):
        for _ in range(20):
            await asyncio.sleep(0.02)
        assert not reasons
        while not reasons:  # nothing gives way here
            pass
    assert "busy with one thing" in reasons[0]
