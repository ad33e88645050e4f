"""The stand-in in process: an HTTP client of the provider's SDK that asks a Book instead of a network."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NoReturn

import stripe
from starlette.datastructures import Headers

from adapters.stand_in.book import Book, Fate, Outcome
from adapters.stand_in.wire import request_of, wall_ms

S_MS = 1000
TIMEOUT_S = 80.0
"""The SDK's own."""


class InProcessClient(stripe.HTTPClient):
    """For `stripe.StripeClient(..., http_client=...)`; asynchronous calls only.

    `clock_ms` and `sleep` (seconds) may be a simulation's. A call that gets no answer within `timeout_s` raises
    stripe.APIConnectionError, as over a network; what it does at the provider is done all the same.
    """

    name = "stand-in"

    def __init__(
        self,
        book: Book,
        clock_ms: Callable[[], int] = wall_ms,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__()
        self.book = book
        self._clock_ms = clock_ms
        self._sleep = sleep
        self._timeout_ms = round(timeout_s * S_MS)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Body, status, headers."""
        outcome = self.book.receive(request_of(method, url, headers, post_data or ""), self._clock_ms())
        await self._wait(outcome)
        if outcome.answer is None:
            _fail("the connection was cut")
        return outcome.answer.body, outcome.answer.status, Headers(outcome.answer.headers)

    async def _wait(self, outcome: Outcome) -> None:
        if outcome.fate is Fate.HANG or outcome.delay_ms > self._timeout_ms:
            await self._sleep(min(outcome.delay_ms, self._timeout_ms) / S_MS)
            _fail("no answer in time")
        if outcome.delay_ms:
            await self._sleep(outcome.delay_ms / S_MS)

    def sleep_async(self, secs: float) -> Awaitable[None]:
        """Between the SDK's own repeats, if it is told to make any."""
        return self._sleep(secs)

    def close(self) -> None:
        """Nothing to close."""

    async def close_async(self) -> None:
        """Nothing to close."""


def _fail(problem: str) -> NoReturn:
    message = f"Unexpected error communicating with the stand-in: {problem}"
    raise stripe.APIConnectionError(message, should_retry=True)
