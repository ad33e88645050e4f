"""Reading what clients send: bodies by msgspec (the purchase), headers, validation errors; each names its place."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec

from domain.shapes import PRICE_MAX, QUANTITY_MAX, SKU_MAX
from gateway.problems import InvalidRequestError

WAIT_S_MAX = 5
_MESSAGE_MAX = 200
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)
_AT = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"(?:missing required|contains unknown) field `(?P<field>.*)`", re.DOTALL)


class Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As schemas.OrderLine; a test holds the two together."""

    sku: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=SKU_MAX)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
    max_price: Annotated[int, msgspec.Meta(ge=0, le=PRICE_MAX)] | None = None


class _Order(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    items: list[Line]


_decode_order = msgspec.json.Decoder(_Order).decode


def parse_order_body(body: bytes) -> Line:
    """The one line of a new order; InvalidRequestError otherwise."""
    try:
        items = _decode_order(body).items
    except msgspec.ValidationError as error:
        raise InvalidRequestError(_locate(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestError(("$", f"not a JSON document: {error}"[:_MESSAGE_MAX])) from error
    if len(items) != 1:
        raise InvalidRequestError(("$.items", f"{len(items)} lines; an order has exactly one line for now"))
    return items[0]


def parse_key(value: bytes | None) -> str:
    """The Idempotency-Key; InvalidRequestError if it is missing or none."""
    if value is None:
        raise InvalidRequestError(("Idempotency-Key", "this header is required"))
    key = value.decode("latin-1")
    if not _KEY.fullmatch(key):
        raise InvalidRequestError(("Idempotency-Key", "1 to 64 characters of A-Z, a-z, 0-9, _ and -"))
    return key


def parse_wait(value: str) -> int:
    """Seconds of `Prefer: wait=n` (RFC 7240), at most 5; 0 if there is no such preference."""
    found = _WAIT.search(value)
    return min(int(found[1]), WAIT_S_MAX) if found else 0


def invalid_request(errors: Iterable[Any]) -> InvalidRequestError:
    """From pydantic's errors, as FastAPI hands them over."""
    return InvalidRequestError(*[(_path(error["loc"]), str(error["msg"])[:_MESSAGE_MAX]) for error in errors])


def _path(loc: Sequence[str | int]) -> str:
    """`("body", "items", 0, "sku")` -> `$.items[0].sku`; a place outside of the body by its name."""
    if loc[0] != "body":
        return str(loc[-1])
    rest = loc[1:]
    if len(rest) == 1 and isinstance(rest[0], int):  # the offset of a JSON error
        return "$"
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


def _locate(text: str) -> tuple[str, str]:
    """Path and message of a msgspec validation error; a missing or unknown field is part of its path."""
    found = _AT.match(text)
    message, path = (found["message"], found["path"]) if found else (text, None)
    path = path or "$"
    field = _FIELD.search(message)
    if field:
        path = f"{path}.{field['field']}"
    return path[:_MESSAGE_MAX], message[:_MESSAGE_MAX]
