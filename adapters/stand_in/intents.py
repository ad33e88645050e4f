"""The state machine of a PaymentIntent, pure: an intent and a wish in, the next intent and its events out.

What a status does not allow changes nothing and is refused with the provider's words.
"""

from typing import NamedTuple

from msgspec.structs import replace

from adapters.stand_in.methods import METHODS, Course, message_of
from adapters.stand_in.objects import Decline, Intent, Refund, RefundStatus, Status
from adapters.stand_in.refusal import CARD, PAYMENT_REQUIRED, Refusal

CONFIRMABLE = (Status.REQUIRES_PAYMENT_METHOD, Status.REQUIRES_CONFIRMATION, Status.REQUIRES_ACTION)
CAPTURABLE = (Status.REQUIRES_CAPTURE,)
CANCELABLE = (
    Status.REQUIRES_PAYMENT_METHOD,
    Status.REQUIRES_CAPTURE,
    Status.REQUIRES_CONFIRMATION,
    Status.REQUIRES_ACTION,
    Status.PROCESSING,
)
SETTLEABLE = (Status.REQUIRES_ACTION, Status.PROCESSING)

CREATED = "payment_intent.created"
CAPTURABLE_UPDATED = "payment_intent.amount_capturable_updated"
ACTION = "payment_intent.requires_action"
PROCESSING = "payment_intent.processing"
FAILED = "payment_intent.payment_failed"
SUCCEEDED = "payment_intent.succeeded"
CANCELED = "payment_intent.canceled"
CHARGE_REFUNDED = "charge.refunded"
CHARGE_EXPIRED = "charge.expired"
REFUND_CREATED = "refund.created"
REFUND_UPDATED = "refund.updated"
REFUND_FAILED = "refund.failed"

AUTOMATIC = "automatic"
"""cancellation_reason of an authorisation that grew too old."""
MANUAL = "manual"
_AUTHENTICATION = "authentication_required"


class Step(NamedTuple):
    """What a wish came to. `events`: of `intent`. `refusal`: answered although the intent changed: a decline."""

    intent: Intent
    events: tuple[str, ...] = ()
    refusal: Refusal | None = None


class Terms(NamedTuple):
    """How a confirmation goes. `decline`: the code that chance has for this attempt, "" = none."""

    now_ms: int
    charge: str
    expires_ms: int
    decline: str = ""
    off_session: bool = False
    error_on_action: bool = False


def confirm(intent: Intent, method: str, terms: Terms) -> Step | Refusal:
    """Try to charge `method` ("" = the one that the intent has); it must be one of METHODS."""
    name = method or intent.method
    if intent.status not in CONFIRMABLE:
        return _not_now(intent, "confirm", "confirmed", CONFIRMABLE)
    if not name:
        text = "You cannot confirm this PaymentIntent because it's missing a payment method."
        return Refusal(code="payment_intent_unexpected_state", message=text, executed=True)
    chosen = METHODS[name]
    intent = replace(intent, method=name, decline=None, version=intent.version + 1)
    if chosen.course is Course.DECLINE:
        return _declined(intent, chosen.code, chosen.decline_code, terms)
    if chosen.course is Course.PROCESS:
        return Step(replace(intent, status=Status.PROCESSING), (PROCESSING,))
    if chosen.course is Course.CHALLENGE:
        if terms.off_session:
            return _declined(intent, _AUTHENTICATION, _AUTHENTICATION, terms)
        if terms.error_on_action:
            return _failed(intent, _AUTHENTICATION, "This payment required an authentication action.")
        return Step(replace(intent, status=Status.REQUIRES_ACTION), (ACTION,))
    return _charged(intent, terms)


def settle(intent: Intent, terms: Terms, *, ok: bool) -> Step | Refusal:
    """End what waits for somebody else: the customer's authentication, or a slow kind of payment."""
    if intent.status not in SETTLEABLE:
        return _not_now(intent, "settle", "settled", SETTLEABLE)
    intent = replace(intent, version=intent.version + 1)
    if ok:
        then = METHODS[intent.method].then
        return _declined(intent, "card_declined", then, terms) if then else _charged(intent, terms)
    if intent.status is Status.REQUIRES_ACTION:
        code = "payment_intent_authentication_failure"
        failed = _failed(intent, code, "The provided PaymentMethod has failed authentication.")
        return failed._replace(refusal=None)
    return _declined(intent, "card_declined", "generic_decline", terms)._replace(refusal=None)


def capture(intent: Intent, amount: int | None) -> Step | Refusal:
    """Take `amount` (None = all) of what is authorised; the rest is released."""
    if intent.status not in CAPTURABLE:
        return _not_now(intent, "capture", "captured", CAPTURABLE)
    taken = intent.capturable if amount is None else amount
    if taken > intent.capturable:
        text = f"The amount to capture ({taken}) is greater than the amount capturable ({intent.capturable})."
        return Refusal(code="amount_too_large", param="amount_to_capture", message=text, executed=True)
    captured = replace(
        intent,
        status=Status.SUCCEEDED,
        expires_ms=0,
        captured=taken,
        voided=intent.authorised - taken,
        version=intent.version + 1,
    )
    return Step(captured, (SUCCEEDED,))


def cancel(intent: Intent, reason: str, now_ms: int) -> Step | Refusal:
    """End it; what is authorised is given back."""
    if intent.status not in CANCELABLE:
        return _not_now(intent, "cancel", "canceled", CANCELABLE)
    return _ended(intent, reason, now_ms, CHARGE_REFUNDED)


def expire(intent: Intent, now_ms: int) -> Step | Refusal:
    """The authorisation has grown too old."""
    if intent.status is not Status.REQUIRES_CAPTURE:
        return _not_now(intent, "expire", "expired", CAPTURABLE)
    return _ended(intent, AUTOMATIC, now_ms, CHARGE_EXPIRED)


def refund(intent: Intent, amount: int | None) -> Step | Refusal:
    """Give back `amount` (None = the rest) of what was captured and not yet refunded. The step has what is given."""
    left = intent.captured - intent.refunded
    if intent.status is not Status.SUCCEEDED:
        text = f"This PaymentIntent ({intent.id}) does not have a successful charge to refund."
        return Refusal(code="payment_intent_unexpected_state", param="payment_intent", message=text, executed=True)
    if not left:
        text = f"Charge {intent.charge} has already been refunded."
        return Refusal(code="charge_already_refunded", message=text, executed=True)
    given = left if amount is None else amount
    if given > left:
        text = f"Refund amount ({given}) is greater than unrefunded amount on charge ({left})"
        return Refusal(param="amount", message=text, executed=True)
    refunded = replace(intent, refunded=intent.refunded + given, version=intent.version + 1)
    return Step(refunded, (REFUND_CREATED, CHARGE_REFUNDED))


def settle_refund(intent: Intent, refund: Refund) -> tuple[Step, Refund]:
    """A refund comes to what it comes to. The money of one that failed is ours again, and may be refunded again."""
    settled = replace(refund, status=refund.then, settles_ms=0)
    if settled.status is RefundStatus.FAILED:
        intent = replace(intent, refunded=intent.refunded - refund.amount, version=intent.version + 1)
        return Step(intent, (REFUND_FAILED,)), settled
    return Step(intent, (REFUND_UPDATED,)), settled


def _charged(intent: Intent, terms: Terms) -> Step:
    if terms.decline:
        return _declined(intent, "card_declined", terms.decline, terms)
    manual = intent.capture_method == MANUAL
    charged = replace(
        intent,
        status=Status.REQUIRES_CAPTURE if manual else Status.SUCCEEDED,
        charge=terms.charge,
        charge_ms=terms.now_ms,
        charges=intent.charges + 1,
        expires_ms=terms.expires_ms if manual else 0,
        authorised=intent.amount,
        captured=0 if manual else intent.amount,
    )
    return Step(charged, (CAPTURABLE_UPDATED if manual else SUCCEEDED,))


def _declined(intent: Intent, code: str, decline_code: str, terms: Terms) -> Step:
    tried = replace(intent, charge=terms.charge, charge_ms=terms.now_ms, charges=intent.charges + 1)
    return _failed(tried, code, message_of(code, decline_code), decline_code, terms.charge)


def _failed(intent: Intent, code: str, message: str, decline_code: str = "", charge: str = "") -> Step:
    """Back to where another payment method may be tried."""
    why = Decline(code=code, message=message, decline_code=decline_code, charge=charge, method=intent.method)
    failed = replace(intent, status=Status.REQUIRES_PAYMENT_METHOD, method="", decline=why)
    refusal = Refusal(
        status=PAYMENT_REQUIRED,
        type=CARD,
        code=code,
        decline_code=decline_code,
        charge=charge,
        message=message,
        executed=True,
    )
    return Step(failed, (FAILED,), refusal)


def _ended(intent: Intent, reason: str, now_ms: int, charge_event: str) -> Step:
    authorised = intent.capturable
    ended = replace(
        intent,
        status=Status.CANCELED,
        expires_ms=0,
        canceled_ms=now_ms,
        cancellation_reason=reason,
        voided=authorised,
        version=intent.version + 1,
    )
    return Step(ended, (CANCELED, charge_event) if authorised else (CANCELED,))


def _not_now(intent: Intent, verb: str, done: str, allowed: tuple[Status, ...]) -> Refusal:
    text = (
        f"You cannot {verb} this PaymentIntent because it has a status of {intent.status}. Only a PaymentIntent "
        f"with one of the following statuses may be {done}: {', '.join(allowed)}."
    )
    return Refusal(code="payment_intent_unexpected_state", message=text, executed=True)
