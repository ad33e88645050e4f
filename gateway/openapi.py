"""The OpenAPI document: FastAPI's, and the purchase route, which FastAPI does not serve."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.order_schemas import NewOrder, OrderCreated, OrderReserved
from gateway.problems import MEDIA_TYPE
from gateway.schemas import ProblemBody

PURCHASE = "/v1/orders"
_REF = "#/components/schemas/{model}"
_PROBLEMS = {
    400: "Not valid; `errors` name the places",
    401: "No token, or one that does not count",
    404: "unknown-sku",
    408: "The body came too slowly",
    409: "Refused: sold-out, all-held, limit-reached, not-open, closed, insufficient, price-changed, gone, expired",
    413: "More than 16 KiB",
    422: "key-reused: the key was used for another request",
    429: "Too many requests of this customer",
    503: "Not now, nothing was appended; or busy, too-late: decided, nothing is held",
    504: "outcome-unknown: repeat with the same key",
}


def document(app: FastAPI) -> dict[str, Any]:
    """Build the whole document anew."""
    spec = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    models: list[type[BaseModel]] = [NewOrder, OrderCreated, OrderReserved, ProblemBody]
    _, defined = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    spec["components"]["schemas"].update(defined["$defs"])
    others = spec["paths"].pop(PURCHASE, {})
    spec["paths"] = {PURCHASE: {"post": _purchase(), **others}, **spec["paths"]}
    return spec


def _purchase() -> dict[str, Any]:
    created = {"Location": _header("Where to look"), "Turnstile-Appended": _header("partition:offset:index in the log")}
    waited = {
        **created,
        "Idempotent-Replayed": _header("true: the first answer again"),
        "Preference-Applied": _header(""),
    }
    problems = {str(status): _response(ProblemBody, text, media_type=MEDIA_TYPE) for status, text in _PROBLEMS.items()}
    return {
        "tags": ["orders"],
        "summary": "Buy",
        "operationId": "buy",
        "description": "Ask for units of 1 to 20 SKUs. Repeat with the same Idempotency-Key as often as you like: one "
        "decision. With a payment method they are paid for as soon as they are held.",
        "security": [{"HTTPBearer": []}],
        "parameters": [
            _parameter("Idempotency-Key", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, required=True),
            _parameter("Prefer", {"type": "string", "examples": ["wait=2"]}, required=False),
        ],
        "requestBody": {"required": True, "content": _content(NewOrder, "application/json")},
        "responses": {
            "202": _response(OrderCreated, "In the log; not decided yet, or not waited for", created),
            "201": _response(OrderReserved, "Within `Prefer: wait=n`: the units are held", waited),
            **problems,
        },
    }


def _content(model: type[BaseModel], media_type: str) -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": _REF.format(model=model.__name__)}}}


def _response(
    model: type[BaseModel], text: str, headers: dict[str, Any] | None = None, media_type: str = "application/json"
) -> dict[str, Any]:
    return {"description": text, "content": _content(model, media_type), **({"headers": headers} if headers else {})}


def _header(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "string"}}


def _parameter(name: str, schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": schema}
