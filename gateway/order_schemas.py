"""What goes in and out about orders over HTTP, as OpenAPI shows it. Money in minor units, times as RFC 3339 in UTC."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, JsonValue, model_validator

from domain.order_shapes import REASON_MAX
from domain.order_starting import AMOUNT_MAX
from domain.orders import LINES_MAX
from domain.shapes import QUANTITY_MAX, SKU_MAX
from gateway.order_now import LINE_STATES, PAY_STATES
from gateway.parsing import COUNTRY_PATTERN, EMAIL_PATTERN, LINE_MAX, METHOD_PATTERN, NOTE_PATTERN, TEXT_PATTERN
from gateway.schemas import ORDER, TIME, Currency, Price, Sku, examples

_LINE: dict[str, JsonValue] = {"line": 1, "sku": "poster-a2", "quantity": 2, "unit_price": 2500}


def _ends(pattern: str) -> str:
    r"""Pydantic's `$` is the end of the text, as Python's `\Z` is."""
    return pattern.replace(r"\Z", "$")


Text = Annotated[str, Field(pattern=_ends(TEXT_PATTERN), max_length=LINE_MAX)]
Method = Annotated[
    str, Field(pattern=_ends(METHOD_PATTERN), description="A payment method's id at the provider: pm_...")
]


class OrderLine(BaseModel):
    model_config = examples({"sku": "poster-a2", "quantity": 1})

    sku: Sku
    quantity: Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
    max_price: Annotated[Price | None, Field(description="Refuse (price-changed) above this price of a unit")] = None


class Shipping(BaseModel):
    """Stands sealed in the log, in clear nowhere."""

    model_config = examples(
        {
            "name": "Ann Example",
            "email": "ann@example.org",
            "line1": "Main Street 1",
            "postal_code": "12345",
            "city": "Springfield",
            "country": "DE",
        }
    )

    name: Text
    email: Annotated[str, Field(pattern=_ends(EMAIL_PATTERN))]
    line1: Text
    postal_code: Annotated[str, Field(pattern=_ends(TEXT_PATTERN), max_length=20)]
    city: Text
    country: Annotated[str, Field(pattern=_ends(COUNTRY_PATTERN), description="ISO 3166, two letters")]
    line2: Text | None = None
    region: Text | None = None


class NewOrder(BaseModel):
    """Equal SKUs are one line: quantities are added, the lowest `max_price` counts. All lines have one currency."""

    model_config = examples(
        {"items": [{"sku": "poster-a2", "quantity": 1}]},
        {
            "items": [{"sku": "poster-a2", "quantity": 1}, {"sku": "mug", "quantity": 2, "max_price": 900}],
            "partial": True,
            "payment_method": "pm_card_visa",
        },
    )

    items: Annotated[list[OrderLine], Field(min_length=1, max_length=LINES_MAX)]
    partial: Annotated[bool, Field(description="Keep what can be had when other lines are refused")] = False
    payment_method: Method | None = None
    shipping: Shipping | None = None


class OrderCreated(BaseModel):
    """In the log; not decided yet, or not waited for."""

    model_config = examples({"order_id": ORDER, "status": "CREATED"})

    order_id: str
    status: Literal["CREATED"]


class HeldLine(BaseModel):
    line: int
    sku: str
    quantity: int
    unit_price: int


class OrderReserved(BaseModel):
    """The units are held until `expires_at`: of one SKU, or (`lines`) of several."""

    model_config = examples(
        {
            "order_id": ORDER,
            "status": "RESERVED",
            "receipt": "3:1041:17",
            "sku": "poster-a2",
            "quantity": 1,
            "unit_price": 2500,
            "currency": "EUR",
            "expires_at": TIME,
        },
        {
            "order_id": ORDER,
            "status": "RESERVED",
            "receipt": "3:1041:17",
            "lines": [_LINE],
            "amount": 5000,
            "currency": "EUR",
            "expires_at": TIME,
        },
    )

    order_id: str
    status: Literal["RESERVED"]
    receipt: str = Field(description="partition:offset:index of the first occurrence: the place in the queue")
    currency: str
    expires_at: str
    sku: str | None = None
    quantity: int | None = None
    unit_price: int | None = None
    lines: list[HeldLine] | None = None
    amount: int | None = None


class LineState(BaseModel):
    line: int
    sku: str
    quantity: int
    state: str = Field(description=", ".join(LINE_STATES.values()))
    unit_price: int | None = None
    reason: str | None = Field(default=None, description="Why it was refused")
    shipped: int | None = None
    delivered: int | None = None
    returned: int | None = None


class PaymentState(BaseModel):
    state: str = Field(description=", ".join(PAY_STATES.values()))
    attempt: int
    captured: int
    refunded: int
    action: str | None = Field(default=None, description="Where the customer has to act (3-D Secure)")
    intent: str | None = Field(default=None, description="The attempt's id at the provider; with scope ops")


class Step(BaseModel):
    """A change of the status; also the data of an event of the stream, whose id is the sequence."""

    model_config = examples({"sequence": 2, "from": "CREATED", "to": "RESERVED", "time": TIME})

    sequence: int
    came_from: str | None = Field(default=None, alias="from")
    to: str
    time: str
    reason: str | None = None
    compensating: bool | None = None


class OrderState(BaseModel):
    """What has become of an order. `compensating`: it is on its way back to `goal`."""

    model_config = examples(
        {
            "order_id": ORDER,
            "status": "PAYMENT_PENDING",
            "version": 1,
            "receipt": "3:1041:17",
            "lines": [{**_LINE, "state": "held"}],
            "partial": False,
            "amount": 5000,
            "currency": "EUR",
            "payment": {"state": "authorising", "attempt": 1, "captured": 0, "refunded": 0},
            "compensating": False,
            "expires_at": TIME,
            "created_at": TIME,
            "updated_at": TIME,
            "history": [{"sequence": 1, "to": "CREATED", "time": TIME}],
        },
        {"order_id": ORDER, "status": "REJECTED", "version": 0, "receipt": "3:1041:18", "reason": "sold-out"},
    )

    order_id: str
    status: Literal[
        "CREATED", "RESERVED", "PAYMENT_PENDING", "PAID", "CONFIRMED", "SHIPPED", "DELIVERED", "REJECTED", "EXPIRED",
        "CANCELLED", "REFUND_PENDING", "REFUNDED",
    ]  # fmt: skip
    version: int
    receipt: str | None = None
    lines: list[LineState] | None = None
    partial: bool | None = None
    amount: int | None = Field(default=None, description="Of all lines that are held or sold")
    currency: Currency | None = None
    payment: PaymentState | None = None
    compensating: bool | None = None
    goal: str | None = None
    reason: str | None = None
    expires_at: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    history: list[Step] | None = None


class OrderList(BaseModel):
    """Newest first. `cursor`: for the next page; absent on the last one."""

    orders: list[OrderState]
    cursor: str | None = None


class WishDecided(BaseModel):
    """The wish was accepted; `status`: the order's, as far as this gateway has seen it."""

    model_config = examples(
        {"order_id": ORDER, "outcome": "accepted", "status": "PAYMENT_PENDING", "compensating": True}
    )

    order_id: str
    outcome: str
    status: str | None = None
    compensating: bool | None = None


class WishAppended(BaseModel):
    """In the log; not decided in 5 s."""

    order_id: str
    outcome: Literal["pending"]


class Payment(BaseModel):
    model_config = examples({"payment_method": "pm_card_visa"})

    payment_method: Method


class _Units(BaseModel):
    """Of one line; without both, everything that is left."""

    line: Annotated[int | None, Field(ge=0, le=LINES_MAX)] = None
    quantity: Annotated[int | None, Field(ge=1, le=QUANTITY_MAX)] = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.line is None) != (self.quantity is None):
            message = "line and quantity go together"
            raise ValueError(message)
        return self


class Shipment(_Units):
    """Units that left the house, or arrived."""

    model_config = examples({"line": 1, "quantity": 2}, {})


class Takeback(_Units):
    """Sold units that come back, and are refunded."""

    model_config = examples({"line": 1, "quantity": 1, "restock": True}, {"restock": False})

    restock: Annotated[bool, Field(description="On sale again; else written off")]


class RefundWish(BaseModel):
    """Money back without goods."""

    model_config = examples({"amount": 500, "reason": "arrived late"})

    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
    reason: Annotated[str, Field(pattern=_ends(NOTE_PATTERN), max_length=REASON_MAX)]


class Settlement(BaseModel):
    """What an operator found at the provider about a request that nobody answered."""

    model_config = examples({"outcome": "voided", "reference": "pi_3Nk"})

    outcome: Literal["voided", "captured", "refunded"]
    reference: Annotated[
        str, Field(pattern=_ends(TEXT_PATTERN), max_length=SKU_MAX, description="Where it can be looked up")
    ]
