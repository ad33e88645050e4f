"""Reading what clients send: bodies by msgspec (the purchase), headers, validation errors; each names its place."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec

from domain.orders import LINES_MAX
from domain.shapes import PRICE_MAX, QUANTITY_MAX, SKU_MAX
from gateway.problems import InvalidRequestError

WAIT_S_MAX = 5
METHOD_PATTERN = r"^[A-Za-z0-9_]{1,64}\Z"
EMAIL_PATTERN = r"^[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,189}\Z"
COUNTRY_PATTERN = r"^[A-Z]{2}\Z"
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]+\Z"
"""A line of an address ends up in the head of a mail: no control characters."""
NOTE_PATTERN = r"^[^\x00-\x1f\x7f]*\Z"
LINE_MAX = 100
_MESSAGE_MAX = 200
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)
_AT = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"(?:missing required|contains unknown) field `(?P<field>.*)`", re.DOTALL)

_Text = Annotated[str, msgspec.Meta(pattern=TEXT_PATTERN, max_length=LINE_MAX)]


class Line(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As order_schemas.OrderLine; a test holds the two together."""

    sku: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", max_length=SKU_MAX)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=QUANTITY_MAX)]
    max_price: Annotated[int, msgspec.Meta(ge=0, le=PRICE_MAX)] | None = None


class Shipping(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """As order_schemas.Shipping. Leaves the gateway sealed only."""

    name: _Text
    email: Annotated[str, msgspec.Meta(pattern=EMAIL_PATTERN)]
    line1: _Text
    postal_code: Annotated[str, msgspec.Meta(pattern=TEXT_PATTERN, max_length=20)]
    city: _Text
    country: Annotated[str, msgspec.Meta(pattern=COUNTRY_PATTERN)]
    line2: _Text | None = None
    region: _Text | None = None


class NewOrder(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """As order_schemas.NewOrder. Once parsed, every SKU is in one line, and the lines are sorted by SKU."""

    items: list[Line]
    partial: bool = False
    payment_method: Annotated[str, msgspec.Meta(pattern=METHOD_PATTERN)] | None = None
    shipping: Shipping | None = None


_decode_order = msgspec.json.Decoder(NewOrder).decode


def parse_order_body(body: bytes) -> NewOrder:
    """A new order, merged and sorted; InvalidRequestError otherwise."""
    try:
        order = _decode_order(body)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(_locate(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestError(("$", f"not a JSON document: {error}"[:_MESSAGE_MAX])) from error
    count = len(order.items)
    if count != 1:
        if not 1 <= count <= LINES_MAX:
            raise InvalidRequestError(("$.items", f"{count} lines; an order has 1 to {LINES_MAX}"))
        order.items = _merged(order.items)
    return order


def _merged(items: list[Line]) -> list[Line]:
    """Equal SKUs are one line: the sum of the quantities, at most the lowest of the prices."""
    merged: dict[str, Line] = {}
    for item in items:
        line = merged.setdefault(item.sku, item)
        if line is not item:
            line.quantity += item.quantity
            prices = [price for price in (line.max_price, item.max_price) if price is not None]
            line.max_price = min(prices, default=None)
    for line in merged.values():
        if line.quantity > QUANTITY_MAX:
            message = f"{line.quantity} of {line.sku} in all; at most {QUANTITY_MAX}"
            raise InvalidRequestError(("$.items", message))
    return sorted(merged.values(), key=_sku)


def _sku(line: Line) -> str:
    return line.sku


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
