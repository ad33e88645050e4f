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
        self._until_s: dict[asyncio.Future[Any], float] = {}
        self._is_sweeping = False

    def __len__(self) -> int:
        return len(self._until_s)

    async def decided(self, seat: Seat[Any], seconds: float) -> Answer | None:
        """What was decided, None if it was not in time."""
        if seconds <= 0:
            return None
        seat.decided = self._loop.create_future()
        answer: Answer | None = await self._wait(seat.decided, seconds)
        return answer

    async def acked(self, seat: Seat[Any], seconds: float, location: str | None = None) -> None:
        """Return once Kafka has the command.

        ProblemError when the time is over: 503 if the command never left the queue, and never will; 504 if nobody
        knows.
        """
        if seat.batch is not None and seat.batch.acked:
            return
        if seconds > 0:
            seat.acked = self._loop.create_future()
            if await self._wait(seat.acked, seconds):
                return
        if seat.withdraw():
            raise ProblemError(Problem.UNAVAILABLE, "the broker takes nothing at the moment; nothing was appended")
        raise ProblemError(Problem.OUTCOME_UNKNOWN, headers={"Location": location} if location else None)

    async def _wait(self, future: asyncio.Future[Any], seconds: float) -> Any:
        """The future's result, None when the time is over."""
        self._until_s[future] = self._loop.time() + seconds
        if not self._is_sweeping:
            self._is_sweeping = True
            self._loop.call_later(SWEEP_S, self._sweep)
        try:
            return await future
        finally:
            del self._until_s[future]

    def _sweep(self) -> None:
        now_s = self._loop.time()
        for future, until_s in self._until_s.items():
            if until_s <= now_s and not future.done():
                future.set_result(None)
        self._is_sweeping = bool(self._until_s)
        if self._is_sweeping:
            self._loop.call_later(SWEEP_S, self._sweep)


def appended_header(seat: Seat[Any]) -> dict[str, str]:
    """Where this command went; nothing if the producer had sent it twice, so that the ack could not tell."""
    batch = seat.batch
    if batch is None or batch.offset < 0:
        return {}
    return {"Turnstile-Appended": str(Receipt(batch.partition, batch.offset, seat.index))}
