"""`turnstile sku ...`: products, over HTTP."""

import secrets
from typing import Annotated
from urllib.parse import quote

import typer

from ops.cli.output import Json, Url, answer
from ops.cli.session import gateway

Sku = Annotated[str, typer.Argument(help="The product: letters, digits, dot, _ and -.")]


def add(
    ctx: typer.Context,
    sku: Sku,
    price: Annotated[int, typer.Option(min=0, help="Of one unit, in minor units (cents).")],
    units: Annotated[int, typer.Option(min=0, help="Units received at first.")],
    currency: Annotated[str, typer.Option(help="ISO 4217.")] = "EUR",
    limit: Annotated[int, typer.Option(min=1, help="Units a customer may hold and have bought.")] = 1,
    hold: Annotated[int, typer.Option(min=1, help="Seconds that a hold lasts.")] = 300,
    url: Url = "",
    json: Json = False,
) -> None:
    """Add a product, not open yet. Again with the same values: no change."""
    body = {
        "sku": sku,
        "price": price,
        "currency": currency,
        "units": units,
        "limit_per_customer": limit,
        "hold_seconds": hold,
    }
    answer(gateway(ctx, url, ops=True).expect("POST", "/v1/skus", body).body, as_json=json)


def adjust(
    ctx: typer.Context,
    sku: Sku,
    delta: Annotated[int, typer.Argument(help="Units received; negative (after --): taken away.")],
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "by hand",
    reference: Annotated[str, typer.Option(help="Unique for the product: a repeat changes nothing.")] = "",
    url: Url = "",
    json: Json = False,
) -> None:
    """Receive units, or take available ones away."""
    body = {"delta": delta, "reason": reason, "reference": reference or f"cli-{secrets.token_hex(6)}"}
    reply = gateway(ctx, url, ops=True).expect("POST", f"{_path(sku)}/adjustments", body)
    answer(reply.body, as_json=json)


def open_(ctx: typer.Context, sku: Sku, url: Url = "", json: Json = False) -> None:
    """Start selling."""
    answer(gateway(ctx, url, ops=True).expect("POST", f"{_path(sku)}/open").body, as_json=json)


def close(ctx: typer.Context, sku: Sku, url: Url = "", json: Json = False) -> None:
    """Stop selling; holds stay what they are."""
    answer(gateway(ctx, url, ops=True).expect("POST", f"{_path(sku)}/close").body, as_json=json)


def show(ctx: typer.Context, sku: Sku, url: Url = "", json: Json = False) -> None:
    """Policy and exact counters."""
    answer(gateway(ctx, url, ops=True).expect("GET", _path(sku)).body, as_json=json)


def _path(sku: str) -> str:
    return f"/v1/skus/{quote(sku, safe='')}"


COMMANDS = {"add": add, "adjust": adjust, "open": open_, "close": close, "show": show}
