"""The provider's test payment methods, by id, and what confirming an intent with one does."""

import hashlib
from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from adapters.stand_in.objects import RefundStatus


class Course(Enum):
    """What happens to an attempt."""

    CHARGE = auto()
    DECLINE = auto()
    CHALLENGE = auto()
    PROCESS = auto()


class Method(NamedTuple):
    """`then`: decline code after the challenge was passed or the processing ended; "" = charged.

    `refund`: what a refund is at first, and what it comes to some time later.
    """

    course: Course
    code: str = ""
    decline_code: str = ""
    then: str = ""
    refund: tuple[RefundStatus, RefundStatus] = (RefundStatus.SUCCEEDED, RefundStatus.SUCCEEDED)


OK = Method(Course.CHARGE)
_CHALLENGED = Method(Course.CHALLENGE)
_CHALLENGED_NO_MONEY = Method(Course.CHALLENGE, then="insufficient_funds")
PROCESSING = "pm_stand_in_processing"
"""Not the provider's: no card of its sandbox stays in processing, other kinds of payment do."""


def _declined(decline_code: str, code: str = "card_declined") -> Method:
    return Method(Course.DECLINE, code, decline_code)


_DECLINES = {
    "chargeDeclined": _declined("generic_decline"),
    "chargeDeclinedInsufficientFunds": _declined("insufficient_funds"),
    "chargeDeclinedLostCard": _declined("lost_card"),
    "chargeDeclinedStolenCard": _declined("stolen_card"),
    "chargeDeclinedExpiredCard": _declined("", "expired_card"),
    "chargeDeclinedIncorrectCvc": _declined("", "incorrect_cvc"),
    "chargeDeclinedProcessingError": _declined("", "processing_error"),
    "chargeDeclinedFraudulent": _declined("fraudulent"),
    "chargeDeclinedVelocityLimitExceeded": _declined("card_velocity_exceeded"),
}
METHODS: Mapping[str, Method] = {
    **{
        f"pm_card_{name}": OK
        for name in ("visa", "visa_debit", "mastercard", "amex", "discover", "threeDSecureOptional", "de", "us")
    },
    **{f"pm_card_{name}": method for name, method in _DECLINES.items()},
    **{f"pm_card_visa_{name}": method for name, method in _DECLINES.items()},
    "pm_card_authenticationRequired": _CHALLENGED,
    "pm_card_threeDSecure2Required": _CHALLENGED,
    "pm_card_threeDSecureRequired": _CHALLENGED,
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": _CHALLENGED_NO_MONEY,
    "pm_card_pendingRefund": OK._replace(refund=(RefundStatus.PENDING, RefundStatus.SUCCEEDED)),
    "pm_card_refundFail": OK._replace(refund=(RefundStatus.SUCCEEDED, RefundStatus.FAILED)),
    PROCESSING: Method(Course.PROCESS),
}
_RANDOM_DECLINES = ("generic_decline", "insufficient_funds", "do_not_honor", "card_velocity_exceeded")
_MESSAGES = {
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "insufficient_funds": "Your card has insufficient funds.",
}


def message_of(code: str, decline_code: str) -> str:
    """The sentence of a decline."""
    return _MESSAGES.get(decline_code) or _MESSAGES.get(code) or "Your card was declined."


def drawn_decline(seed: int, share: float, metadata: Mapping[str, str], fallback: str) -> str:
    """The decline code that chance has for an attempt, or "".

    A function of (environment, order, attempt) alone, so a repeat, a replay and another order of calls meet the
    same; `fallback` stands for them in an intent without metadata.
    """
    if not share:
        return ""
    named = [metadata.get(name, "") for name in ("environment", "order", "attempt")]
    text = "\0".join((str(seed), *(named if any(named) else [fallback])))
    drawn = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    if drawn / 2**64 >= share:
        return ""
    return _RANDOM_DECLINES[drawn % len(_RANDOM_DECLINES)]
