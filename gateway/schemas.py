"""What goes in and out over HTTP, as OpenAPI shows it. Money in minor units, times as RFC 3339 in UTC."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from domain.shapes import DELTA_MAX, HOLD_MS_MAX, PRICE_MAX, QUANTITY_MAX, SKU_MAX, TEXT_MAX

SKU_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
HOLD_S_MAX = HOLD_MS_MAX // 1000
ORDER = "0003a1f2-5c7e-8d21-9b1f-2f4a6c8e0d13"
TIME = "2026-01-31T12:05:00.000Z"


def examples(*values: dict[str, JsonValue]) -> ConfigDict:
    """Strict, no other fields, and these in the document."""
    return ConfigDict(strict=True, extra="forbid", json_schema_extra={"examples": [*values]})


Sku = Annotated[str, Field(pattern=SKU_PATTERN, max_length=SKU_MAX, description="Letters, digits, dot, _ and -")]
Price = Annotated[int, Field(ge=0, le=PRICE_MAX, description="Of one unit, in minor units of the currency")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")]
Limit = Annotated[int, Field(ge=1, le=QUANTITY_MAX, description="Units that one customer may hold and have bought")]
HoldSeconds = Annotated[int, Field(ge=1, le=HOLD_S_MAX, description="How long a hold lasts")]


class NewSku(BaseModel):
    model_config = examples(
        {
            "sku": "poster-a2",
            "price": 2500,
            "currency": "EUR",
            "units": 100,
            "limit_per_customer": 2,
            "hold_seconds": 300,
        }
    )

    sku: Sku
    price: Price
    currency: Currency
    units: Annotated[int, Field(ge=0, le=DELTA_MAX, description="Received at first")]
    limit_per_customer: Limit
    hold_seconds: HoldSeconds


class SkuPolicy(BaseModel):
    """What is to change; the rest stays. Holds keep the terms that they were granted under."""

    model_config = examples({"price": 1900}, {"limit_per_customer": 4, "version": 2})

    price: Price | None = None
    currency: Currency | None = None
    limit_per_customer: Limit | None = None
    hold_seconds: HoldSeconds | None = None
    version: Annotated[int | None, Field(ge=1, description="Change only this version; 409 conflict otherwise")] = None


class Adjustment(BaseModel):
    """Units received, or (negative) taken away from what is available. The same reference again changes nothing."""

    model_config = examples({"delta": 50, "reason": "second delivery", "reference": "delivery-2"})

    delta: Annotated[int, Field(ge=-DELTA_MAX, le=DELTA_MAX, description="Not 0")]
    reason: Annotated[str, Field(max_length=TEXT_MAX)]
    reference: Annotated[str, Field(pattern=SKU_PATTERN, max_length=SKU_MAX, description="Unique for this SKU")]


class SkuState(BaseModel):
    """What a customer may know of a SKU, as of a moment."""

    model_config = examples(
        {
            "sku": "poster-a2",
            "status": "open",
            "price": 2500,
            "currency": "EUR",
            "limit_per_customer": 2,
            "hold_seconds": 300,
            "availability": "few",
            "as_of": TIME,
        }
    )

    sku: str
    status: Literal["not-open", "open", "closed"]
    price: int
    currency: str
    limit_per_customer: int
    hold_seconds: int
    availability: Literal["many", "few", "all-held", "sold-out"]
    as_of: str


class SkuCounters(SkuState):
    """What scope `ops` may know besides: received = available + held + sold + written_off."""

    model_config = examples(
        {
            "sku": "poster-a2",
            "status": "open",
            "price": 2500,
            "currency": "EUR",
            "limit_per_customer": 2,
            "hold_seconds": 300,
            "availability": "few",
            "as_of": TIME,
            "version": 2,
            "received": 100,
            "available": 7,
            "held": 13,
            "sold": 80,
            "written_off": 0,
        }
    )

    version: int
    received: int
    available: int
    held: int
    sold: int
    written_off: int


class Adjusted(BaseModel):
    """An adjustment that was decided, now or before, and the counters since."""

    reference: str
    outcome: Literal["adjusted"]
    sku: SkuCounters


class Accepted(BaseModel):
    """In the log; what it came to is not known yet: look at the SKU, or repeat."""

    sku: str
    status: Literal["accepted"]


class FieldError(BaseModel):
    path: str = Field(description="JSON path of a field of the body, or the name of a header")
    message: str


class ProblemBody(BaseModel):
    """RFC 9457. `outcome` is there if this was decided, `errors` if the request is not valid."""

    model_config = examples(
        {
            "type": "urn:turnstile:problem:sold-out",
            "title": "Sold out",
            "status": 409,
            "outcome": "sold-out",
            "order_id": ORDER,
            "receipt": "3:1041:18",
        }
    )

    type: str
    title: str
    status: int
    detail: str | None = None
    outcome: str | None = None
    order_id: str | None = None
    receipt: str | None = None
    errors: list[FieldError] | None = None
