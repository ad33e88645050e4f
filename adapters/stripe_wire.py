"""Calls and replies as Stripe's API v1 has them on the wire: pure, so that the agents and a simulation share them.

https://docs.stripe.com/api/payment_intents, /refunds, /errors, /idempotent_requests
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.provider import (
    Call,
    Cancel,
    Capture,
    Create,
    Find,
    FindRefunds,
    IntentSeen,
    Limited,
    Page,
    Refund,
    RefundSeen,
    Refused,
    Reply,
    Retrieve,
    Status,
    Tags,
    Unknown,
)

PAGE_MAX = 100
RETRY_AFTER_MS = 1_000
"""Where a 429 does not say: limits are by the second."""
IDEMPOTENCY_ERROR = "idempotency_error"
_INTENTS = "/v1/payment_intents"
_CHARGE = ["latest_charge"]
_OURS = frozenset({401, 403})
"""The key is wrong, or may not: no call will do better."""
_OK, _BAD, _DECLINED, _MISSING, _LIMITED, _BROKEN = 200, 400, 402, 404, 429, 500

Json = Mapping[str, Any]


class Wire(NamedTuple):
    """`params` of the body (POST) or the query (GET), nested; `key` of idempotency, "" for a GET."""

    method: str
    path: str
    params: dict[str, Any]
    key: str = ""


def request_of(call: Call) -> Wire:
    """A function of the call alone: the same key always comes with the same parameters."""
    match call:
        case Create():
            return Wire("post", _INTENTS, _create(call), call.key)
        case Retrieve():
            return Wire("get", f"{_INTENTS}/{call.intent}", {"expand": _CHARGE})
        case Capture():
            return Wire("post", f"{_INTENTS}/{call.intent}/capture", {"amount_to_capture": call.amount}, call.key)
        case Cancel():
            return Wire("post", f"{_INTENTS}/{call.intent}/cancel", {}, call.key)
        case Refund():
            params = {"payment_intent": call.intent, "amount": call.amount, "metadata": _metadata(call.tags)}
            return Wire("post", "/v1/refunds", params, call.key)
        case Find():
            created = {"gte": call.since_ms // 1_000, "lte": -(-call.until_ms // 1_000)}
            params = {"created": created, "limit": PAGE_MAX, "expand": ["data.latest_charge"], **_after(call.after)}
            return Wire("get", _INTENTS, params)
        case FindRefunds():
            params = {"payment_intent": call.intent, "limit": PAGE_MAX, **_after(call.after)}
            return Wire("get", "/v1/refunds", params)


def reply_of(status: int, headers: Mapping[str, str], body: object) -> Reply:
    """What an answer says. `body`: parsed JSON.

    Only what says so is a refusal; 409, 5xx, errors about keys or about ourselves (401, 403) leave it open what was
    or will be done.
    """
    named = {name.lower(): value for name, value in headers.items()}
    replayed = named.get("idempotent-replayed") == "true"
    if status == _LIMITED:
        return Limited(_retry_after_ms(named))
    if status >= _BROKEN or not isinstance(body, Mapping):
        return Unknown(f"http {status}", replayed, outage=not replayed)
    try:
        return _reply(status, named, body, replayed=replayed)
    except (KeyError, TypeError, ValueError) as error:  # a status that is newer than this code, say
        return Unknown(f"http {status} {error!r}", replayed)


def _reply(status: int, headers: Mapping[str, str], body: Json, *, replayed: bool) -> Reply:
    if status == _OK:
        return _seen(body, replayed=replayed)
    error = body.get("error")
    if not isinstance(error, Mapping):
        return Unknown(f"http {status}", replayed)
    code = str(error.get("decline_code") or error.get("code") or error.get("type") or status)
    if status == _DECLINED:
        intent = error.get("payment_intent")
        return intent_of(intent, replayed=replayed) if isinstance(intent, Mapping) else Refused(code, replayed)
    if code == "rate_limit":  # as 429 was once said
        return Limited(_retry_after_ms(headers))
    if status == _BAD and error.get("type") == IDEMPOTENCY_ERROR:
        return Unknown(IDEMPOTENCY_ERROR)
    if status in {_BAD, _MISSING}:
        return Refused(code, replayed)
    return Unknown(f"http {status} {code}", outage=status in _OURS)


def intent_of(body: Json, *, replayed: bool = False) -> IntentSeen:
    """A PaymentIntent. What was refunded is known where `latest_charge` is expanded."""
    charge = body.get("latest_charge")
    status = Status(body["status"])
    captured = status is Status.SUCCEEDED
    decline = body.get("last_payment_error") or {}
    return IntentSeen(
        id=body["id"],
        status=status,
        amount=body["amount"],
        capturable=body.get("amount_capturable") or 0,
        captured=(body.get("amount_received") or 0) if captured else 0,
        refunded=charge["amount_refunded"] if captured and isinstance(charge, Mapping) else 0,
        tags=tags_of(body),
        decline=decline.get("decline_code") or decline.get("code") or "",
        action=_action(body),
        created_ms=body.get("created", 0) * 1_000,
        replayed=replayed,
    )


def tags_of(body: Json) -> Tags:
    """Of an intent or a refund; empty where it is nobody's here."""
    metadata = body.get("metadata") or {}
    attempt = metadata.get("attempt", "")
    return Tags(
        metadata.get("environment", ""),
        metadata.get("order", ""),
        int(attempt) if attempt.isdecimal() else 0,
        metadata.get("refund", ""),
    )


def _seen(body: Json, *, replayed: bool) -> Reply:
    match body.get("object"):
        case "payment_intent":
            return intent_of(body, replayed=replayed)
        case "refund":
            return _refund_of(body, replayed=replayed)
        case "list":
            intents = tuple(intent_of(one) for one in body["data"] if one["object"] == "payment_intent")
            refunds = tuple(_refund_of(one) for one in body["data"] if one["object"] == "refund")
            return Page(intents, refunds, body["has_more"])
    return Unknown(f"an unexpected {body.get('object')}")


def _refund_of(body: Json, *, replayed: bool = False) -> RefundSeen:
    return RefundSeen(body["id"], body.get("status") or "pending", body["amount"], tags_of(body), replayed)


def _create(call: Create) -> dict[str, Any]:
    """Version 1 of the request. A change of it is another version, or the keys of running payments would not match."""
    return {
        "amount": call.amount,
        "currency": call.currency.lower(),
        "payment_method": call.method,
        "payment_method_types": ["card"],
        "capture_method": "manual",
        "confirm": True,
        "metadata": _metadata(call.tags),
    }


def _metadata(tags: Tags) -> dict[str, str]:
    found = {"environment": tags.environment, "order": tags.order, "attempt": str(tags.attempt)}
    return {**found, "refund": tags.refund} if tags.refund else found


def _after(last: str) -> dict[str, str]:
    return {"starting_after": last} if last else {}


def _action(body: Json) -> str:
    """Where the customer acts: an address, or the secret with which the shop's page opens the provider's dialogue."""
    action = body.get("next_action")
    if not action:
        return ""
    return str((action.get("redirect_to_url") or {}).get("url") or body.get("client_secret") or action.get("type", ""))


def _retry_after_ms(headers: Mapping[str, str]) -> int:
    value = headers.get("retry-after", "")
    return int(value) * 1_000 if value.isdecimal() else RETRY_AFTER_MS
