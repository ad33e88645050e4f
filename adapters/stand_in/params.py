"""Parameters of the endpoints, form encoding to typed records: what is unknown, missing or malformed is refused."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from adapters.stand_in.methods import METHODS
from adapters.stand_in.refusal import BAD_REQUEST, Refusal, missing

MINIMUM = {"eur": 50, "usd": 50, "gbp": 30, "chf": 50, "jpy": 50, "pln": 200, "sek": 300, "dkk": 250, "nok": 300}
"""The provider charges no less, in minor units; of currencies that do not stand here, anything."""
AMOUNT_MAX = 99_999_999
METADATA_MAX = 50
ENDLESS_S = 2**40
_CURRENCY = re.compile("[a-z]{3}")
_FIELD = re.compile(r"field `(\w+)`")
_PATH = re.compile(r"`\$\.?((?:\.?\w+|\[\d+\])+)")

Amount = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]
Text = Annotated[str, msgspec.Meta(max_length=500)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=100)]
Expand = list[Literal["latest_charge", "data.latest_charge"]]
Metadata = dict[Annotated[str, msgspec.Meta(max_length=40)], Text]
CaptureMethod = Literal["automatic", "automatic_async", "manual"]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    expand: Expand = []


class AutomaticMethods(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    enabled: bool
    allow_redirects: Literal["always", "never"] = "always"


class Confirm(Params, frozen=True, kw_only=True):
    payment_method: str = ""
    return_url: str = ""
    off_session: bool = False
    error_on_requires_action: bool = False
    capture_method: CaptureMethod | None = None


class Create(Confirm, frozen=True, kw_only=True):
    amount: Amount
    currency: str
    confirm: bool = False
    description: Text = ""
    metadata: Metadata = {}
    payment_method_types: list[Literal["card"]] = []
    automatic_payment_methods: AutomaticMethods | None = None


class Capture(Params, frozen=True, kw_only=True):
    amount_to_capture: Amount | None = None
    final_capture: bool = True
    metadata: Metadata = {}


class Cancel(Params, frozen=True, kw_only=True):
    cancellation_reason: Literal["duplicate", "fraudulent", "requested_by_customer", "abandoned", ""] = ""


class CreateRefund(Params, frozen=True, kw_only=True):
    payment_intent: str = ""
    charge: str = ""
    amount: Amount | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer", ""] = ""
    metadata: Metadata = {}


class Range(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds."""

    gt: int = -1
    gte: int = 0
    lt: int = ENDLESS_S
    lte: int = ENDLESS_S


class List(Params, frozen=True, kw_only=True):
    limit: Limit = 10
    starting_after: str = ""
    ending_before: str = ""
    created: Range | int | None = None

    def bounds(self) -> tuple[int, int]:
        """First and last second of creation that is asked for."""
        if self.created is None:
            return 0, ENDLESS_S
        if isinstance(self.created, int):
            return self.created, self.created
        return max(self.created.gt + 1, self.created.gte), min(self.created.lt - 1, self.created.lte)


class ListRefunds(List, frozen=True, kw_only=True):
    payment_intent: str = ""
    charge: str = ""


class ListEvents(List, frozen=True, kw_only=True):
    type: str = ""
    types: list[str] = []


T = TypeVar("T", bound=Params)


def parse(kind: type[T], form: Mapping[str, str]) -> T | Refusal:
    """`form` as it comes: `{"metadata[order]": "o1", "expand[0]": "latest_charge"}`."""
    try:
        return msgspec.convert(nested(form), kind, strict=False)
    except msgspec.ValidationError as error:
        return _refused(str(error))


def nested(form: Mapping[str, str]) -> dict[str, Any]:
    """Brackets to dicts, and to lists where all keys are numbers or empty."""
    tree: dict[str, Any] = {}
    for key, value in form.items():
        first, *rest = key.replace("]", "").split("[")
        at, name = tree, first
        for part in rest:
            below = at.setdefault(name, {})
            at, name = (below if isinstance(below, dict) else {}), part
        at[name] = value
    return {name: value if name == "metadata" else _listed(value) for name, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(name.isdigit() or not name for name in value):
        return [_listed(item) for item in value.values()]
    return {name: _listed(item) for name, item in value.items()}


def _refused(problem: str) -> Refusal:
    field, path = _FIELD.search(problem), _PATH.search(problem)
    param = field[1] if field else path[1] if path else ""
    if "missing required" in problem:
        return Refusal(code="parameter_missing", param=param, message=f"Missing required param: {param}.")
    if "unknown field" in problem:
        return Refusal(code="parameter_unknown", param=param, message=f"Received unknown parameter: {param}")
    code = "parameter_invalid_integer" if "`int" in problem else ""
    return Refusal(code=code, param=param, message=f"Invalid {param}: {problem}")


def check_create(wish: Create) -> Refusal | None:
    """What the types of its fields do not say."""
    currency = wish.currency.lower()
    if not _CURRENCY.fullmatch(currency):
        return Refusal(param="currency", message=f"Invalid currency: {wish.currency}.")
    least = MINIMUM.get(currency, 1)
    if wish.amount < least:
        text = f"Amount must be no less than {least} {currency} (minor units)."
        return Refusal(code="amount_too_small", param="amount", message=text)
    if len(wish.metadata) > METADATA_MAX:
        return Refusal(param="metadata", message=f"Metadata can have at most {METADATA_MAX} keys.")
    if wish.payment_method_types and wish.automatic_payment_methods:
        text = "You may only specify one of these parameters: automatic_payment_methods, payment_method_types."
        return Refusal(param="automatic_payment_methods", message=text)
    if not wish.confirm:
        only = {"off_session": wish.off_session, "error_on_requires_action": wish.error_on_requires_action}
        for name, given in {**only, "return_url": wish.return_url}.items():
            if given:
                return Refusal(param=name, message=f"The parameter {name} cannot be passed without confirm=true.")
        return check_method(wish.payment_method)
    redirects = wish.automatic_payment_methods is None or wish.automatic_payment_methods.allow_redirects == "always"
    if not wish.payment_method_types and redirects and not wish.return_url:
        text = (
            "This PaymentIntent may redirect the customer: give a return_url, or payment_method_types, "
            "or automatic_payment_methods[allow_redirects]=never."
        )
        return Refusal(param="return_url", message=text)
    if not wish.payment_method:
        text = "You cannot confirm this PaymentIntent because it's missing a payment method."
        return Refusal(code="payment_intent_unexpected_state", param="payment_method", message=text)
    return check_method(wish.payment_method)


def check_method(name: str) -> Refusal | None:
    if name and name not in METHODS:
        return missing("PaymentMethod", name, "payment_method", BAD_REQUEST)
    return None
