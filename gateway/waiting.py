"""Waiting for a command: first that Kafka has it, then what was decided."""

import asyncio
from typing import Any

from domain.ids import Receipt
from gateway.problems import Problem, ProblemError
from gateway.view import Answer
from streams.seats import Seat

ACK_S_MAX = 5.0
"""An ack takes 0.4-4 ms, a new leader 2-3 s; who waits longer is told that the outcome is not known."""
SWEEP_S = 0.05
"""How late who waits may learn that the time is over. 1,000 who wait cost 0.05 ms a sweep, a timer each 1.5 ms."""


class Patience:
    """Of all who wait for commands: nobody waits for ever. One sweep for all while somebody waits, no timer a request.

    Make it inside the running loop. `len` of it: how many wait.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waits: list[tuple[asyncio.Future[Any], float]] = []
        self._is_sweeping = False

    def __len__(self) -> int:
        return sum(not future.done() for future, _ in self._waits)

    def future(self, seconds: float) -> asyncio.Future[Any]:
        """For a seat. Its result is None when the time is over."""
        future = self._loop.create_future()
        self._waits.append((future, self._loop.time() + seconds))
        if not self._is_sweeping:
            self._is_sweeping = True
            self._loop.call_later(SWEEP_S, self._sweep)
        return future

    async def decided(self, seat: Seat[Any], seconds: float) -> Answer | None:
        """What was decided, None if it was not in time."""
        if seconds <= 0:
            return None
        seat.decided = self.future(seconds)
        answer: Answer | None = await seat.decided
        return answer

    async def acked(self, seat: Seat[Any], seconds: float, location: str | None = None) -> None:
        """Return once Kafka has the command. ProblemError when the time is over, as `give_up` makes it."""
        if seat.batch is not None and seat.batch.acked:
            return
        if seconds > 0:
            seat.acked = self.future(seconds)
            if await seat.acked:
                return
        raise give_up(seat, location)

    def _sweep(self) -> None:
        """End what is over, forget what is done: until then it costs nothing to have waited."""
        now_s = self._loop.time()
        for future, until_s in self._waits:
            if until_s <= now_s and not future.done():
                future.set_result(None)
        self._waits = [wait for wait in self._waits if not wait[0].done()]
        self._is_sweeping = bool(self._waits)
        if self._is_sweeping:
            self._loop.call_later(SWEEP_S, self._sweep)


def give_up(seat: Seat[Any], location: str | None = None) -> ProblemError:
    """For a command without an ack in time: 503 if it never left the queue, and now never will; 504 if nobody knows."""
    if seat.withdraw():
        return ProblemError(Problem.UNAVAILABLE, "the broker takes nothing at the moment; nothing was appended")
    return ProblemError(Problem.OUTCOME_UNKNOWN, headers={"Location": location} if location else None)


def appended_header(seat: Seat[Any]) -> dict[str, str]:
    """Where this command went; nothing if the producer had sent it twice, so that the ack could not tell."""
    batch = seat.batch
    if batch is None or batch.offset < 0:
        return {}
    return {"Turnstile-Appended": str(Receipt(batch.partition, batch.offset, seat.index))}
