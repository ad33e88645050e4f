"""What the provider sends to a gateway: is it signed by one of our secrets, and what order does it hint at."""

import time
from typing import Any

import msgspec
from stripe import SignatureVerificationError, WebhookSignature

from domain.ids import home_partition, parse_order
from domain.order_shapes import WELL_FORMED_ORDER
from domain.orders import Hint
from domain.roles import Role
from gateway.problems import InvalidRequestError, Problem, ProblemError
from gateway.recent import Recent
from streams.identity import Identity

PATH = "/v1/webhooks/stripe"
BODY_BYTES_MAX = 64 * 1024
TOLERANCE_S = 300
REMEMBERED_S = 600.0
"""Stripe sends an event again after minutes, then hours; here it is dropped only as long as both may be under way."""
EVENTS_HALF_MAX = 10_000
_MESSAGE_MAX = 200
_DIGITS_MAX = 9
_PAYMENT_INTENT = "payment_intent"


class _Object(msgspec.Struct):
    object: str
    id: str = ""
    payment_intent: Any = None
    metadata: dict[str, str] | None = None


class _Data(msgspec.Struct):
    object: _Object


class Event(msgspec.Struct):
    """As far as we look at it."""

    id: str
    type: str
    data: _Data


_decode = msgspec.json.Decoder(Event).decode


class Inbox:
    """Webhooks of one gateway. `secrets`: comma separated, two while one replaces the other."""

    def __init__(self, secrets: str, identity: Identity) -> None:
        self._secrets = tuple(filter(None, map(str.strip, secrets.split(","))))
        self._environment = identity.log_id.hex()
        self._partitions = identity.partitions
        self._seen: Recent[str, float] = Recent(EVENTS_HALF_MAX)

    def verify(self, body: bytes, signature: str | None) -> Event:
        """The event in a signed body; InvalidRequestError for anything else, ProblemError (503) without secrets."""
        if not self._secrets:
            raise ProblemError(Problem.UNAVAILABLE, "TURNSTILE_WEBHOOK_SECRETS is not set at this gateway")
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise InvalidRequestError(("$", "not UTF-8")) from error
        if not any(_is_signed(text, signature, secret) for secret in self._secrets):
            raise InvalidRequestError(("Stripe-Signature", "not a signature of this body by a secret of ours"))
        try:
            return _decode(body)
        except (msgspec.DecodeError, RecursionError) as error:  # a ValidationError is one
            raise InvalidRequestError(("$", f"not an event: {error}"[:_MESSAGE_MAX])) from error

    def hint_of(self, event: Event) -> Hint | None:
        """What it hints at; None if that is no order of this log."""
        about, metadata = event.data.object, event.data.object.metadata or {}
        if metadata.get("environment") != self._environment:
            return None
        intent = about.id if about.object == _PAYMENT_INTENT else about.payment_intent
        attempt = metadata.get("attempt", "")
        try:
            order = parse_order(metadata.get("order", ""))
        except ValueError:
            return None
        if home_partition(order) >= self._partitions or not (attempt.isascii() and attempt.isdigit()):
            return None
        if not isinstance(intent, str) or len(attempt) > _DIGITS_MAX:
            return None
        hint = Hint(order, int(attempt), intent, event.id, event.type)
        return hint if WELL_FORMED_ORDER[Hint](hint, Role.GATEWAY, 0) else None

    def is_new(self, event: Event) -> bool:
        """Whether this event did not come here in the last minutes; from now on it did."""
        now_s = time.monotonic()
        at_s = self._seen.get(event.id)
        self._seen.put(event.id, now_s)
        return at_s is None or now_s - at_s > REMEMBERED_S

    def forget(self, event: Event) -> None:
        """It could not be appended: Stripe will send it again."""
        self._seen.drop(event.id)


def _is_signed(text: str, signature: str | None, secret: str) -> bool:
    try:
        WebhookSignature.verify_header(text, signature, secret, TOLERANCE_S)
    except SignatureVerificationError:
        return False
    return True
