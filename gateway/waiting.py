"""Waiting for a command: first that Kafka has it, then what was decided. One future and one timer per request."""

import asyncio
from typing import Any

from domain.ids import Receipt
from gateway.problems import Problem, ProblemError
from gateway.view import Answer
from streams.seats import Seat

ACK_S_MAX = 5.0
"""An ack takes 0.4-4 ms, a new leader 2-3 s; who waits longer is told that the outcome is not known."""


async def until(future: asyncio.Future[Any], seconds: float) -> Any:
    """The future's result, None when the time is over."""
    timer = asyncio.get_running_loop().call_later(seconds, _expire, future)
    try:
        return await future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_result(None)


def appended_header(seat: Seat[Any]) -> dict[str, str]:
    """Where this command went; nothing if the producer had sent it twice, so that the ack could not tell."""
    batch = seat.batch
    if batch is None or batch.offset < 0:
        return {}
    return {"Turnstile-Appended": str(Receipt(batch.partition, batch.offset, seat.index))}


async def decided(seat: Seat[Any], seconds: float) -> Answer | None:
    """What was decided, None if it was not in time."""
    if seconds <= 0:
        return None
    seat.decided = asyncio.get_running_loop().create_future()
    answer: Answer | None = await until(seat.decided, seconds)
    return answer


async def acked(seat: Seat[Any], seconds: float, location: str | None = None) -> None:
    """Return once Kafka has the command.

    ProblemError when the time is over: 503 if the command never left the queue, and never will; 504 if nobody knows.
    """
    if seat.batch is not None and seat.batch.acked:
        return
    if seconds > 0:
        seat.acked = asyncio.get_running_loop().create_future()
        if await until(seat.acked, seconds):
            return
    if seat.withdraw():
        raise ProblemError(Problem.UNAVAILABLE, "the broker takes nothing at the moment; nothing was appended")
    raise ProblemError(Problem.OUTCOME_UNKNOWN, headers={"Location": location} if location else None)
