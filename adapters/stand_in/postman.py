"""Sends webhooks, signed as the provider signs them, when the book's mail says so."""

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp

from adapters.stand_in.book import Book
from adapters.stand_in.mail import Delivery, Letter
from adapters.stand_in.wire import signature

S_MS = 1000
TIMEOUT_S = 10.0
"""An endpoint that takes longer has failed, as at the provider."""


class Postman:
    """One endpoint. `run` until cancelled; `wake` whenever the book may have new mail.

    `secrets`: what to sign with; two, comma separated, while one replaces the other.
    """

    def __init__(self, book: Book, url: str, secrets: str, clock_ms: Callable[[], int]) -> None:
        self._book = book
        self._url = url
        self._secrets = secrets.split(",")
        self._clock_ms = clock_ms
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Letters go out side by side: a slow endpoint shuffles them as it would the provider's."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as sending:
            while True:
                self._woken.clear()
                now_ms = self._clock_ms()
                for letter in self._book.mail.due(now_ms):
                    sending.create_task(self._send(session, letter))
                next_ms = self._book.mail.next_ms()
                wait_s = None if next_ms is None else max(0, next_ms - now_ms) / S_MS
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), wait_s)

    async def _send(self, session: aiohttp.ClientSession, letter: Letter) -> None:
        body = self._book.payload(letter)
        signed = signature(body, self._secrets, self._clock_ms() // S_MS)
        headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signed}
        try:
            async with session.post(self._url, data=body, headers=headers) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        event = self._book.shelf.events[letter.event]
        self._book.mail.answered(
            letter,
            Delivery(
                number=0,
                at_ms=self._clock_ms(),
                event=event.id,
                type=event.type,
                intent=event.intent.id,
                attempt=letter.attempt,
                status=status,
            ),
        )
        self.wake()
