"""A shopper's HTTP client: the same request again, with the same key, at the next gateway, until an answer decides."""

import asyncio
import random
import time
from typing import NamedTuple

import aiohttp

WAIT_S = 5
"""`Prefer: wait`: the longest that a gateway keeps a request open."""
REQUEST_S = 12.0
"""Give up on one request: waiting (5 s), an append (5 s), and 2 s for a busy machine."""
PATIENCE_S = 60.0
"""Give up on an answer: several times the longest take-over."""
BACKOFF_S = (0.05, 1.0)
UNDECIDED = frozenset({202, 429, 502, 503, 504})
"""Nothing is decided yet, or nobody knows: ask again with the same key (docs/api.md)."""


class Heard(NamedTuple):
    """The deciding answer; status 0 and the last trouble in `body` if none came in time."""

    status: int
    body: str
    tries: int


class Door:
    """All gateways behind one call. Needs a running loop; `close` at the end."""

    def __init__(self, urls: list[str], rng: random.Random) -> None:
        self._urls = urls
        self._rng = rng
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            timeout=aiohttp.ClientTimeout(total=REQUEST_S),
        )
        self.retries = 0

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def ask(self, first: int, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Heard:
        """Start at gateway number `first` (of any size) and go on until an answer decides."""
        end = time.monotonic() + PATIENCE_S
        tries = 0
        while True:
            url = self._urls[(first + tries) % len(self._urls)] + path
            tries += 1
            status, text, wait_s = await self._once(method, url, headers, body)
            if status and status not in UNDECIDED:
                return Heard(status, text, tries)
            if time.monotonic() > end:
                return Heard(0, text, tries)
            self.retries += 1
            if status != 202:  # noqa: PLR2004 - accepted and waited for: ask at once
                low, high = BACKOFF_S
                await asyncio.sleep(max(wait_s, self._rng.uniform(0.5, 1) * min(high, low * 2.0 ** min(tries, 10))))

    async def _once(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, str, float]:
        """Status (0: none), text, and how long the gateway asks to wait, at most 5 s."""
        try:
            async with self._session.request(method, url, headers=headers, data=body) as response:
                text = await response.text()
                after = response.headers.get("Retry-After", "")
                return response.status, text, min(5.0, float(after)) if after.isdigit() else 0.0
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, str(error) or type(error).__name__, 0.0
