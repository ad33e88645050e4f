"""Payment vocabulary: the operations on one attempt's intent, what they come to, and the keys that they go by."""

from enum import StrEnum


class Operation(StrEnum):
    """One intent an attempt; each operation has one derived key."""

    AUTHORISE = "authorise"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class PayOutcome(StrEnum):
    """What an operation is definitely known to have come to. Unknown is no outcome: the agent goes on finding out."""

    AUTHORISED = "authorised"
    ACTION_REQUIRED = "action-required"
    """The customer has to act (3-D Secure); the attempt is still open."""
    DECLINED = "declined"
    CANCELLED = "cancelled"
    """The intent is cancelled: by us (void) or by the provider (an authorisation that was too old)."""
    CAPTURED = "captured"
    """Of a capture: done. Of a void: too late, the money is captured already."""
    FAILED = "failed"
    """A capture that definitely cannot be done any more."""
    VOIDED = "voided"
    REFUNDED = "refunded"


def provider_key(order: str, attempt: int, operation: Operation, refund: str = "") -> str:
    """The idempotency key at the provider: `{order}:{attempt}:{operation}`, of a refund by key `...:refund:{key}`."""
    key = f"{order}:{attempt}:{operation}"
    return f"{key}:{refund}" if refund else key
