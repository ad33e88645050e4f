"""`turnstile buy`: one purchase, as a customer would do it."""

import secrets
from typing import Annotated

import typer

from ops.cli.complaint import Complaint
from ops.cli.gateway_client import explain
from ops.cli.output import Json, Url, print_fields, print_json
from ops.cli.session import gateway

OK_BELOW = 300


def buy(
    ctx: typer.Context,
    sku: Annotated[str, typer.Argument(help="The product.")],
    customer: Annotated[str, typer.Option(help="Who buys.")] = "c1",
    quantity: Annotated[int, typer.Option(min=1)] = 1,
    key: Annotated[str, typer.Option(help="Idempotency key; the same one again is the same purchase.")] = "",
    wait: Annotated[int, typer.Option(min=0, max=5, help="Seconds to wait for the decision.")] = 2,
    url: Url = "",
    json: Json = False,
) -> None:
    """Buy as a customer and wait for the decision. Exit code 1 if it is refused."""
    headers = {"Idempotency-Key": key or f"cli-{secrets.token_hex(8)}"}
    if wait:
        headers["Prefer"] = f"wait={wait}"
    body = {"items": [{"sku": sku, "quantity": quantity}]}
    reply = gateway(ctx, url, customer).call("POST", "/v1/orders", body, headers)
    replayed = reply.headers.get("idempotent-replayed") == "true"
    if json:
        print_json({"http_status": reply.status, "replayed": replayed, "body": reply.body})
    elif reply.status < OK_BELOW:
        print_fields({**reply.body, "key": headers["Idempotency-Key"], **({"replayed": True} if replayed else {})})
    if reply.status >= OK_BELOW:
        raise Complaint(what=explain(reply))


COMMANDS = {"": buy}
