"""Objects as the provider's JSON. The fields are those of API v1 that a card payment fills, the others null."""

from collections.abc import Iterable, Sequence
from typing import Any

from adapters.stand_in.objects import Decline, Event, Intent, Refund, Status
from adapters.stand_in.refusal import Refusal

API_VERSION = "2026-10-28.endive"
Json = dict[str, Any]


def seconds(time_ms: int) -> int:
    return time_ms // 1000


def intent_json(intent: Intent, expand: Iterable[str] = ()) -> Json:
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": intent.capturable,
        "amount_received": intent.captured,
        "automatic_payment_methods": None,
        "canceled_at": seconds(intent.canceled_ms) if intent.canceled_ms else None,
        "cancellation_reason": intent.cancellation_reason or None,
        "capture_method": intent.capture_method,
        "client_secret": f"{intent.id}_secret_{intent.id[-16:]}",
        "confirmation_method": "automatic",
        "created": seconds(intent.created_ms),
        "currency": intent.currency,
        "customer": None,
        "description": intent.description or None,
        "last_payment_error": _payment_error(intent.decline) if intent.decline else None,
        "latest_charge": _charge(intent, "latest_charge" in expand),
        "livemode": False,
        "metadata": intent.metadata,
        "next_action": _next_action(intent),
        "payment_method": intent.method or None,
        "payment_method_types": intent.method_types,
        "processing": None,
        "receipt_email": None,
        "shipping": None,
        "statement_descriptor": None,
        "status": intent.status,
        "transfer_group": None,
    }


def charge_json(intent: Intent) -> Json:
    """The intent's latest charge."""
    given_back = intent.refunded + (intent.voided if intent.status is Status.CANCELED else 0)
    decline = intent.decline
    return {
        "id": intent.charge,
        "object": "charge",
        "amount": intent.amount,
        "amount_captured": intent.captured,
        "amount_refunded": given_back,
        "captured": bool(intent.captured),
        "created": seconds(intent.charge_ms),
        "currency": intent.currency,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "livemode": False,
        "metadata": intent.metadata,
        "paid": bool(intent.authorised),
        "payment_intent": intent.id,
        "payment_method": (decline.method if decline else intent.method) or None,
        "refunded": bool(intent.authorised) and given_back == (intent.captured or intent.authorised),
        "status": "succeeded" if intent.authorised else "failed",
    }


def refund_json(refund: Refund) -> Json:
    return {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "charge": refund.charge,
        "created": seconds(refund.created_ms),
        "currency": refund.currency,
        "metadata": refund.metadata,
        "payment_intent": refund.intent,
        "reason": refund.reason or None,
        "status": refund.status,
    }


def event_json(event: Event) -> Json:
    of_charge = event.type.startswith("charge.")
    about = charge_json(event.intent) if of_charge else intent_json(event.intent)
    return {
        "id": event.id,
        "object": "event",
        "api_version": API_VERSION,
        "created": seconds(event.created_ms),
        "data": {"object": refund_json(event.refund) if event.refund else about},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": event.request or None, "idempotency_key": event.key or None},
        "type": event.type,
    }


def list_json(url: str, data: Sequence[Json], *, has_more: bool) -> Json:
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def refusal_json(refusal: Refusal, intent: Intent | None = None) -> Json:
    """Nulls are left out of errors, as the provider does."""
    fields = {
        "code": refusal.code,
        "decline_code": refusal.decline_code,
        "charge": refusal.charge,
        "message": refusal.message,
        "param": refusal.param,
        "type": refusal.type,
    }
    error: Json = {name: value for name, value in fields.items() if value}
    if intent is not None:
        error["payment_intent"] = intent_json(intent)
    return {"error": error}


def _payment_error(decline: Decline) -> Json:
    refusal = Refusal(
        type="card_error" if decline.charge else "invalid_request_error",
        code=decline.code,
        decline_code=decline.decline_code,
        charge=decline.charge,
        message=decline.message,
    )
    error: Json = refusal_json(refusal)["error"]
    return {**error, "payment_method": {"id": decline.method, "object": "payment_method", "type": "card"}}


def _charge(intent: Intent, expanded: bool) -> Json | str | None:  # noqa: FBT001 - private, one caller
    if not intent.charge:
        return None
    return charge_json(intent) if expanded else intent.charge


def _next_action(intent: Intent) -> Json | None:
    if intent.status is not Status.REQUIRES_ACTION:
        return None
    if not intent.return_url:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    address = f"https://hooks.stripe.invalid/3d_secure_2/{intent.id}"
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": intent.return_url, "url": address}}
