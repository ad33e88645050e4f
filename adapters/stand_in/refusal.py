"""What a call gets instead of what it asked for, in the provider's words."""

import msgspec

CARD = "card_error"
INVALID = "invalid_request_error"
IDEMPOTENCY = "idempotency_error"
API = "api_error"

BAD_REQUEST = 400
UNAUTHORIZED = 401
PAYMENT_REQUIRED = 402
NOT_FOUND = 404
CONFLICT = 409
TOO_MANY = 429
BROKEN = 500
UNAVAILABLE = 503


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """`executed`: the endpoint had begun, so the answer is kept under its key; what failed before is not."""

    message: str
    status: int = BAD_REQUEST
    type: str = INVALID
    code: str = ""
    param: str = ""
    decline_code: str = ""
    charge: str = ""
    executed: bool = False


def missing(kind: str, name: str, param: str, status: int = NOT_FOUND) -> Refusal:
    """An id that names nothing."""
    return Refusal(status=status, code="resource_missing", param=param, message=f"No such {kind}: '{name}'")


def unknown_path(method: str, path: str) -> Refusal:
    return Refusal(status=NOT_FOUND, message=f"Unrecognized request URL ({method}: {path}).")


NO_API_KEY = Refusal(
    status=UNAUTHORIZED,
    message="Invalid API Key provided. The stand-in takes keys that begin with sk_test_ and no live key.",
)
KEY_TOO_LONG = Refusal(message="Idempotency keys may be at most 255 characters long.")
KEY_IN_USE = Refusal(
    status=CONFLICT,
    type=IDEMPOTENCY,
    code="idempotency_key_in_use",
    message="There is currently another in-progress request using this Idempotent Key.",
)
RATE_LIMITED = Refusal(
    status=TOO_MANY,
    code="rate_limit",
    message="Request rate limit exceeded. You can learn more about rate limits in the provider's documentation.",
)
SERVER_ERROR = Refusal(
    status=BROKEN, type=API, message="An unknown error occurred while processing this request.", executed=True
)
NOT_NOW = Refusal(status=UNAVAILABLE, type=API, message="The service is temporarily unavailable.")


def other_parameters(key: str) -> Refusal:
    text = (
        "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return Refusal(type=IDEMPOTENCY, message=text)


def other_endpoint(key: str, path: str) -> Refusal:
    text = (
        f"Keys for idempotent requests can only be used for the same endpoint they were first used for ('{path}'). "
        f"Try using a key other than '{key}' if you meant to execute a different request."
    )
    return Refusal(type=IDEMPOTENCY, message=text)
