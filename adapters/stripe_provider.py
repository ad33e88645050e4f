"""Stripe through its own SDK: for real, in process, or at the stand-in's process, by URL."""

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import stripe

from adapters.payments import Provider
from adapters.stand_in.behaviour import behaviour_of
from adapters.stand_in.book import Book
from adapters.stand_in.client import InProcessClient
from adapters.stand_in.urls import IN_PROCESS, OVER_HTTP, http_address
from adapters.stripe_wire import reply_of, request_of
from domain.provider import Call, Reply, Unknown

REAL = "stripe://"
API_VERSION = "2026-10-28.endive"
"""Pinned: what an answer means must not change with the SDK or the account's settings."""
STAND_IN_KEY = "sk_test_stand_in"
CONNECT_S = 10.0
HTTP_ERROR = 400


class UnkeyedPostError(Exception):
    """A POST without a derived idempotency key: a repeat would charge twice. A bug of the caller; nothing was sent."""


class Keyed:
    """In front of an HTTP client of the SDK: no POST without one of our keys.

    The SDK gives a POST without a key a random one, so their absence shows only in how they look.
    """

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """As the SDK's clients; UnkeyedPostError."""
        if method.lower() != "get" and ":" not in headers.get("Idempotency-Key", ""):
            message = f"{method} {urlsplit(url).path} without a derived idempotency key"
            raise UnkeyedPostError(message)
        answer: tuple[bytes, int, Mapping[str, str]] = await super().request_async(  # type: ignore[misc]
            method, url, headers, post_data
        )
        return answer


class KeyedHttp(Keyed, stripe.AIOHTTPClient):
    """Over the network."""


class KeyedInProcess(Keyed, InProcessClient):
    """Without one."""


class StripeProvider:
    """Provider. `client` makes no repeats of its own."""

    def __init__(self, client: stripe.StripeClient, http: stripe.HTTPClient) -> None:
        self._client = client
        self._http = http

    async def perform(self, call: Call) -> Reply:
        """Send it; what comes back, and what does not, is a Reply."""
        wire = request_of(call)
        options = {"idempotency_key": wire.key} if wire.key else {}
        try:
            response = await self._client.raw_request_async(wire.method, wire.path, **wire.params, **options)
        except stripe.APIConnectionError as error:
            return Unknown(f"connection: {type(error.__cause__ or error).__name__}", outage=True)
        except (aiohttp.ClientError, TimeoutError) as error:  # while the answer's body was read
            return Unknown(f"connection: {type(error).__name__}", outage=True)
        except stripe.StripeError as error:
            if (error.http_status or 0) < HTTP_ERROR:
                return Unknown("an unreadable answer", outage=True)
            return reply_of(error.http_status or 0, error.headers or {}, error.json_body)
        return reply_of(response.code, response.headers, response.data)

    async def close(self) -> None:
        """Close the pool of connections."""
        await self._http.close_async()


def check_url(url: str, key: str) -> None:
    """ValueError if it names no provider, or nothing that could be one."""
    if url.startswith(IN_PROCESS):
        behaviour_of(url)
    elif url.startswith(OVER_HTTP):
        http_address(url)
    elif url != REAL:
        message = f"{url}: expected {REAL}, {IN_PROCESS} or {OVER_HTTP}HOST:PORT"
        raise ValueError(message)
    elif not key:
        message = f"{REAL} needs TURNSTILE_STRIPE_KEY"
        raise ValueError(message)


def make_provider(url: str, *, key: str = "", timeout_s: float = 30.0, connections: int = 100) -> Provider:
    """`stripe://` with the account's secret `key`, `stand-in+http://HOST:PORT`, or `stand-in://?BEHAVIOUR` in process.

    Call it inside of a running loop. `connections`: at most so many at once, kept alive. ValueError as check_url.
    """
    check_url(url, key)
    if url.startswith(IN_PROCESS):
        return with_http(KeyedInProcess(Book(behaviour_of(url)), timeout_s=timeout_s))
    if url.startswith(OVER_HTTP):
        return with_http(_network(timeout_s, connections, None), address=http_address(url))
    authorities = ssl.create_default_context(cafile=stripe.ca_bundle_path)
    return with_http(_network(timeout_s, connections, authorities), key=key)


def with_http(http: stripe.HTTPClient, *, key: str = STAND_IN_KEY, address: str = "") -> StripeProvider:
    """A provider on an HTTP client of the SDK, which should be Keyed."""
    client = stripe.StripeClient(
        key,
        http_client=http,
        stripe_version=API_VERSION,
        max_network_retries=0,
        base_addresses={"api": address} if address else {},
    )
    return StripeProvider(client, http)


def _network(timeout_s: float, connections: int, authorities: ssl.SSLContext | None) -> KeyedHttp:
    connector = aiohttp.TCPConnector(limit=connections, ssl=authorities or True)
    return KeyedHttp(timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_S), connector=connector)
