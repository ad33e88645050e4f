"""Problems (RFC 9457): the catalogue of everything that a request can get instead of what it asked for.

A problem's type is `urn:turnstile:problem:NAME`. A decided one carries `outcome` = NAME, and is a function of the
decision alone; the others say what is wrong with this request or with this moment.
"""

from enum import Enum
from typing import Any

import msgspec
from starlette.responses import Response

from domain.outcomes import Outcome

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:turnstile:problem:"
_encode = msgspec.json.Encoder().encode


class Problem(Enum):
    """Name, status, title, standing detail, and when asking again makes sense (header Retry-After, seconds)."""

    # The gateway's own. Except for the last two, nothing was appended.
    INVALID_REQUEST = ("invalid-request", 400, "The request is not valid", "", None)
    UNAUTHORIZED = ("unauthorized", 401, "Who asks is not known", "", None)
    NO_SCOPE = ("insufficient-scope", 403, "Not allowed", "", None)
    NOT_FOUND = ("not-found", 404, "No such thing here", "", None)
    NO_METHOD = ("method-not-allowed", 405, "The resource has no such method", "", None)
    TIMEOUT = ("timeout", 408, "The request came too slowly", "", None)
    TOO_LARGE = ("too-large", 413, "The request is too large", "", None)
    TOO_MANY = ("too-many-requests", 429, "Too many requests", "", 1)
    UNAVAILABLE = ("unavailable", 503, "Not now", "", 1)
    WRONG_KEY = (
        "wrong-customer-key",
        503,
        "This gateway hashes customers with another key",
        "the SKU was made with another customer key: every gateway needs the same data folder's keys",
        None,
    )
    BUG = ("bug", 500, "A bug in the gateway", "it was logged; a repeat with the same key is safe", None)
    OUTCOME_UNKNOWN = (
        "outcome-unknown",
        504,
        "The outcome is not known",
        "it may still be decided, at most once: repeat it with the same key to learn how",
        None,
    )

    # Decisions that are no success, by the names of their outcomes.
    MALFORMED = ("malformed", 400, "The command was malformed", "", None)
    FORBIDDEN = ("forbidden", 403, "The command is not for this role", "", None)
    FAULT = ("fault", 500, "A bug in deciding", "an operator was alarmed; other requests are not affected", None)
    KEY_REUSED = ("key-reused", 422, "The key was used for another request", "use a new Idempotency-Key", None)
    TOO_LATE = ("too-late", 503, "It came too late to be decided", "nothing is held: repeat it", 1)
    UNKNOWN_SKU = ("unknown-sku", 404, "There is no such SKU", "", None)
    BUSY = ("busy", 503, "Too busy to remember an answer", "nothing is held: repeat it later", 5)
    NOT_OPEN = ("not-open", 409, "The sale is not open yet", "ask with a new key when it is", None)
    CLOSED = ("closed", 409, "The sale is closed", "", None)
    PRICE_CHANGED = ("price-changed", 409, "The price is above the maximum given", "", None)
    LIMIT_REACHED = ("limit-reached", 409, "The limit per customer is reached", "", None)
    ALL_HELD = (
        "all-held",
        409,
        "All units are held",
        "some may come back: ask with a new key, this one keeps its answer for at least two minutes",
        None,
    )
    SOLD_OUT = ("sold-out", 409, "Sold out", "", None)
    INSUFFICIENT = ("insufficient", 409, "Fewer units are left than asked for", "a smaller quantity may succeed", None)
    SIBLING_REFUSED = ("sibling-refused", 409, "Another line of the order was refused", "", None)
    GONE = ("gone", 409, "There is no such hold any more", "", None)
    EXPIRED = ("expired", 409, "The order's time was over", "nothing is held: order again with a new key", None)
    NOT_YOURS = ("not-yours", 404, "No such order", "", None)
    SHORTFALL = (
        "shortfall",
        409,
        "Fewer units were available than were to be taken away",
        "what was available was taken away, the rest was not",
        None,
    )
    CONFLICT = ("conflict", 409, "Something else was changed before", "look again, then repeat", None)
    REFUSED = ("refused", 409, "Not in the state that the order is in", "look at the order", None)
    UNKNOWN_ORDER = ("unknown-order", 404, "No such order", "", None)

    def __init__(self, label: str, status: int, title: str, detail: str, retry_after_s: int | None) -> None:
        self.label = label
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after_s = retry_after_s


class ProblemError(Exception):
    """End a request with a problem. `extra` are further members of its body."""

    def __init__(
        self,
        problem: Problem,
        detail: str = "",
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or problem.title)
        self.problem = problem
        self.detail = detail or problem.detail
        self.headers = headers
        self.extra = extra or {}


class InvalidRequestError(ProblemError):
    """A 400 that names what is wrong, as a JSON path (`$.items[0].quantity`) or a header (`Idempotency-Key`)."""

    def __init__(self, *errors: tuple[str, str]) -> None:
        detail = "; ".join(f"{path}: {message}" for path, message in errors)
        listed = [{"path": path, "message": message} for path, message in errors]
        super().__init__(Problem.INVALID_REQUEST, detail, extra={"errors": listed})


def respond(error: ProblemError) -> Response:
    """The response for a problem that ended a request."""
    return _response(error.problem, error.detail, error.extra, error.headers)


def respond_decided(outcome: int, extra: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """The response for a decision that is no success; `extra` must follow from the decision alone."""
    name = Outcome(outcome).name
    problem = Problem.__members__.get(name, Problem.FAULT)
    return _response(problem, problem.detail, {"outcome": Outcome(outcome).label, **extra}, headers)


def _response(problem: Problem, detail: str, extra: dict[str, Any], headers: dict[str, str] | None) -> Response:
    body: dict[str, Any] = {"type": TYPE_PREFIX + problem.label, "title": problem.title, "status": problem.status}
    if detail:
        body["detail"] = detail
    body.update(extra)
    response = Response(_encode(body), problem.status, headers, MEDIA_TYPE)
    if problem.retry_after_s is not None and "retry-after" not in response.headers:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    return response
