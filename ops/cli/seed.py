"""`turnstile seed`: something to sell."""

from typing import NamedTuple

import typer

from ops.cli.gateway_client import GatewayClient
from ops.cli.output import Json, Url, print_columns, print_json
from ops.cli.session import gateway

OPEN = "open"


class Product(NamedTuple):
    """A sample. `price` in cents."""

    sku: str
    price: int
    units: int
    limit: int


PRODUCTS = (
    Product("sneaker-aurora", 18_000, 100, 1),
    Product("sneaker-dune", 16_500, 250, 2),
    Product("console-one", 49_900, 40, 1),
    Product("vinyl-live-1979", 3_500, 300, 2),
    Product("poster-a2", 2_500, 1_000, 10),
    Product("ticket-front-row", 12_900, 24, 2),
    Product("ticket-standing", 5_900, 2_000, 6),
    Product("watch-moon", 650_000, 5, 1),
    Product("hoodie-black", 6_900, 500, 3),
    Product("sticker-pack", 400, 10_000, 100),
)
HOLD_S = 300


def seed(ctx: typer.Context, url: Url = "", json: Json = False) -> None:
    """Add ten sample products and open them. Again: no change."""
    client = gateway(ctx, url, ops=True)
    counters = []
    for product in PRODUCTS:
        counters.append(_add(client, product))
        if not json:
            typer.echo(f"{len(counters)}/{len(PRODUCTS)} {product.sku}", err=True)
    if json:
        print_json(counters)
        return
    columns = ("sku", "status", "price", "currency", "available", "held", "sold", "limit_per_customer")
    print_columns([column.replace("_", " ") for column in columns], [[one[c] for c in columns] for one in counters])


def _add(client: GatewayClient, product: Product) -> dict[str, object]:
    body = {
        "sku": product.sku,
        "price": product.price,
        "currency": "EUR",
        "units": product.units,
        "limit_per_customer": product.limit,
        "hold_seconds": HOLD_S,
    }
    counters: dict[str, object] = client.expect("POST", "/v1/skus", body).body
    if counters.get("status") != OPEN:
        counters = client.expect("POST", f"/v1/skus/{product.sku}/open").body
    return counters


COMMANDS = {"": seed}
