"""The document: whole, and its examples are what it says."""

import json
import re
from types import SimpleNamespace

import pytest

from gateway import order_schemas, schemas
from gateway.app import build_app
from gateway.openapi import PURCHASE
from streams.metrics import GatewayMetrics


@pytest.fixture(scope="module")
def document():
    return build_app(SimpleNamespace(metrics=GatewayMetrics()))._app.openapi()


def test_every_route_of_the_api_is_in_it(document):
    routes = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert routes == {
        "POST /v1/orders",
        "GET /v1/orders/{order_id}",
        "GET /v1/orders",
        "GET /v1/orders/{order_id}/events",
        "POST /v1/orders/{order_id}/payment",
        "POST /v1/orders/{order_id}/cancel",
        "POST /v1/orders/{order_id}/ship",
        "POST /v1/orders/{order_id}/deliver",
        "POST /v1/orders/{order_id}/return",
        "POST /v1/orders/{order_id}/refund",
        "POST /v1/orders/{order_id}/settle",
        "POST /v1/webhooks/stripe",
        "POST /v1/skus",
        "GET /v1/skus/{sku}",
        "PATCH /v1/skus/{sku}",
        "POST /v1/skus/{sku}/adjustments",
        "POST /v1/skus/{sku}/open",
        "POST /v1/skus/{sku}/close",
        "GET /livez",
        "GET /readyz",
    }


def test_all_references_lead_somewhere(document):
    defined = document["components"]["schemas"]
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert {"NewOrder", "OrderLine", "OrderReserved", "ProblemBody", "SkuCounters"} <= names
    assert names <= set(defined)


def test_the_purchase_is_documented(document):
    purchase = document["paths"][PURCHASE]["post"]
    assert {parameter["name"]: parameter["required"] for parameter in purchase["parameters"]} == {
        "Idempotency-Key": True,
        "Prefer": False,
    }
    assert {"201", "202", "400", "401", "404", "408", "409", "413", "422", "429", "503", "504"} == set(
        purchase["responses"]
    )
    assert purchase["security"] == [{key: [] for key in document["components"]["securitySchemes"]}]


def test_examples_are_valid():
    checked = 0
    for model in {**vars(schemas), **vars(order_schemas)}.values():
        extra = getattr(model, "model_config", {}).get("json_schema_extra")
        for example in (extra or {}).get("examples", ()):
            model.model_validate(example)
            checked += 1
    assert checked >= 20
