"""What the provider keeps: intents, refunds, events. Frozen, so an event's snapshot is the object of its moment."""

from enum import StrEnum

import msgspec


class Status(StrEnum):
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    CANCELED = "canceled"


class Decline(msgspec.Struct, frozen=True):
    """Why a card was not charged, as last_payment_error says it. `charge`: of the failed attempt, if it came so far."""

    code: str
    message: str
    decline_code: str = ""
    charge: str = ""
    method: str = ""


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A PaymentIntent with its latest charge. Money in minor units of `currency`.

    `authorised`: by the latest charge, also after it ended; `captured`: of it; `voided`: given back without having
    been captured; `refunded`: given back of what was captured, or on its way back. `expires_ms`: of the
    authorisation that now stands, 0 = none does. `version`: + 1 a change.
    """

    id: str
    ordinal: int
    amount: int
    currency: str
    status: Status
    created_ms: int
    capture_method: str = "automatic_async"
    metadata: dict[str, str] = {}
    method: str = ""
    method_types: tuple[str, ...] = ("card",)
    description: str = ""
    return_url: str = ""
    charge: str = ""
    charge_ms: int = 0
    charges: int = 0
    expires_ms: int = 0
    authorised: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    canceled_ms: int = 0
    cancellation_reason: str = ""
    decline: Decline | None = None
    version: int = 1

    @property
    def capturable(self) -> int:
        return self.authorised if self.status is Status.REQUIRES_CAPTURE else 0


class RefundStatus(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Refund(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`then`: what it comes to at `settles_ms`; 0 = it has come to what it is."""

    id: str
    intent: str
    charge: str
    amount: int
    currency: str
    created_ms: int
    reason: str = ""
    metadata: dict[str, str] = {}
    status: RefundStatus = RefundStatus.SUCCEEDED
    then: RefundStatus = RefundStatus.SUCCEEDED
    settles_ms: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """`intent`: as it was after the change. A `charge.` event shows its charge, a `refund.` event the refund."""

    id: str
    type: str
    created_ms: int
    intent: Intent
    refund: Refund | None = None
    request: str = ""
    key: str = ""
