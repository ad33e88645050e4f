"""What both shells of the book share: how a call looks on the wire, how a webhook is signed, what time it is."""

import hmac
import time
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit

from adapters.stand_in.book import Request


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


def request_of(method: str, url: str, headers: Mapping[str, str], body: str) -> Request:
    """What the provider sees of a call; `url` with or without scheme and host."""
    address = urlsplit(url)
    return Request(
        method=method.upper(),
        path=address.path,
        form=dict(parse_qsl(body or address.query, keep_blank_values=True)),
        key=headers.get("Idempotency-Key", ""),
        api_key=headers.get("Authorization", "").removeprefix("Bearer "),
    )


def signature(body: bytes, secrets: Iterable[str], at_s: int) -> str:
    """Value of Stripe-Signature: `t=SECONDS,v1=HEX`, one v1 for each secret.

    https://docs.stripe.com/webhooks/signature
    """
    signed = b"%d.%b" % (at_s, body)
    marks = [hmac.new(secret.encode(), signed, "sha256").hexdigest() for secret in secrets]
    return ",".join((f"t={at_s}", *(f"v1={mark}" for mark in marks)))
