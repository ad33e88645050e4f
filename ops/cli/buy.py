"""`turnstile buy`: one purchase, as a customer would do it."""

import secrets
from typing import Annotated, Any

import typer

from domain.orders import SETTLED, Public
from ops.cli.complaint import Complaint
from ops.cli.gateway_client import GatewayClient, Reply, explain
from ops.cli.order import describe
from ops.cli.output import Json, Url, print_fields, print_json
from ops.cli.session import gateway

OK_BELOW = 300
DONE = "CONFIRMED"


def buy(
    ctx: typer.Context,
    sku: Annotated[str, typer.Argument(help="The product; --lines for several.")] = "",
    customer: Annotated[str, typer.Option(help="Who buys.")] = "c1",
    quantity: Annotated[int | None, typer.Option(min=1, help="Units; default: 1.")] = None,
    lines: Annotated[str, typer.Option(help="Products and quantities: a:1,b:2.")] = "",
    partial: Annotated[bool, typer.Option("--partial", help="Keep what can be had.")] = False,
    payment_method: Annotated[str, typer.Option(help="At the provider: pm_card_visa, ...")] = "",
    key: Annotated[str, typer.Option(help="Idempotency key; the same one again is the same purchase.")] = "",
    within: Annotated[int, typer.Option(min=0, max=5, help="Seconds to wait for the decision.")] = 2,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the order until it is confirmed, or over.")] = False,
    url: Url = "",
    json: Json = False,
) -> None:
    """Buy as a customer and wait for the decision. Exit code 1 if it is refused (with --wait: not confirmed)."""
    headers = {"Idempotency-Key": key or f"cli-{secrets.token_hex(8)}"}
    if within:
        headers["Prefer"] = f"wait={within}"
    body: dict[str, Any] = {"items": _items(sku, quantity, lines)}
    body |= {"partial": True} if partial else {}
    body |= {"payment_method": payment_method} if payment_method else {}
    client = gateway(ctx, url, customer)
    reply = client.call("POST", "/v1/orders", body, headers)
    replayed = reply.headers.get("idempotent-replayed") == "true"
    result = {"http_status": reply.status, "replayed": replayed, "body": reply.body}
    if reply.status < OK_BELOW and not json:
        print_fields(
            _fields(reply.body) | {"key": headers["Idempotency-Key"]} | ({"replayed": True} if replayed else {})
        )
    end = _follow(client, reply, echo=not json) if wait and reply.status < OK_BELOW else ""
    if json:
        print_json({**result, "status": end} if end else result)
    if reply.status >= OK_BELOW:
        raise Complaint(what=explain(reply))
    if end not in {"", DONE}:
        raise Complaint(what=f"the order is {end}", fix=f"look: `turnstile order show {reply.body['order_id']}`")


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    lines = ", ".join(f"{line['quantity']} {line['sku']}" for line in body.get("lines", ()))
    return {**body, "lines": lines} if lines else body


def _items(sku: str, quantity: int | None, lines: str) -> list[dict[str, Any]]:
    if bool(sku) == bool(lines):
        message = "name one product, or several with --lines a:1,b:2"
        raise typer.BadParameter(message)
    if lines and quantity is not None:
        message = "--lines says its quantities itself: a:1,b:2"
        raise typer.BadParameter(message)
    if sku:
        return [{"sku": sku, "quantity": quantity or 1}]
    items = []
    for line in lines.split(","):
        name, _, count = line.strip().partition(":")
        if not name or not (count or "1").isdecimal():
            message = f"--lines: {line!r} is not SKU:QUANTITY"
            raise typer.BadParameter(message)
        items.append({"sku": name, "quantity": int(count or "1")})
    return items


def _follow(client: GatewayClient, reply: Reply, *, echo: bool) -> str:
    """The status that it ended in; Complaint if it will not go on without another payment method."""
    status, path = "", f"/v1/orders/{reply.body['order_id']}"
    for event in client.follow(f"{path}/events"):
        if event is None:
            _complain_of_payment(client.expect("GET", path).body)
            continue
        status = event["to"]
        if echo:
            typer.echo(describe(event))
        if status in SETTLED:
            break
    return status


def _complain_of_payment(order: dict[str, Any]) -> None:
    """A payment that failed changes no status: the units are held until there is another, or the time is over."""
    if order["status"] == Public.PAYMENT_PENDING and order.get("reason"):
        fix = f"`turnstile order pay {order['order_id']} --payment-method ...` before {order.get('expires_at', 'long')}"
        raise Complaint(what=f"the payment failed: {order['reason']}", fix=fix)


COMMANDS = {"": buy}
