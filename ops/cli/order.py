"""`turnstile order ...`: look at orders and do what an operator may, over HTTP."""

import secrets
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from ops.cli.output import Json, Url, answer, print_columns, print_fields, print_json
from ops.cli.session import gateway

Order = Annotated[str, typer.Argument(help="The order's id.")]
Line = Annotated[int | None, typer.Option(min=0, help="Number of a line, with --quantity; without: all that is left.")]
Quantity = Annotated[int | None, typer.Option(min=1, help="Units of that line.")]
Key = Annotated[str, typer.Option(help="Idempotency key; the same one again is the same wish.")]


class Found(StrEnum):
    """What an operator found at the provider."""

    VOIDED = "voided"
    CAPTURED = "captured"
    REFUNDED = "refunded"


def show(
    ctx: typer.Context,
    order: Order,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until it is over.")] = False,
    url: Url = "",
    json: Json = False,
) -> None:
    """Status, lines, money and history."""
    client = gateway(ctx, url, ops=True)
    body = client.expect("GET", _path(order)).body
    if json:
        print_json(body)
    else:
        _print(body)
    if follow:
        shown = [] if json else body.get("history", [])
        for event in client.follow(f"{_path(order)}/events", str(shown[-1]["sequence"]) if shown else ""):
            if event is not None:
                print_json(event) if json else typer.echo(describe(event))


def list_(
    ctx: typer.Context,
    customer: Annotated[str, typer.Option(help="Whose orders.")] = "c1",
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    cursor: Annotated[str, typer.Option(help="Of the page before.")] = "",
    url: Url = "",
    json: Json = False,
) -> None:
    """A customer's orders, newest first."""
    query = {"customer": "me", "limit": limit} | ({"cursor": cursor} if cursor else {})
    page = gateway(ctx, url, customer).expect("GET", f"/v1/orders?{urlencode(query)}").body
    if json:
        print_json(page)
        return
    rows = [
        (one["order_id"], one["status"], one["amount"], one.get("currency", "-"), len(one["lines"]), one["created_at"])
        for one in page["orders"]
    ]
    print_columns(("order", "status", "amount", "currency", "lines", "created"), rows)
    if "cursor" in page:
        typer.echo(f"more: --cursor {page['cursor']}")


def cancel(ctx: typer.Context, order: Order, url: Url = "", json: Json = False) -> None:
    """Let an order go that is not shipped: its units are free again, its money goes back."""
    _wish(ctx, url, order, "cancel", json=json)


def pay(
    ctx: typer.Context,
    order: Order,
    payment_method: Annotated[str, typer.Option(help="At the provider: pm_card_visa, ...")],
    url: Url = "",
    json: Json = False,
) -> None:
    """Give an order that holds its units a payment method, the first one or another."""
    _wish(ctx, url, order, "payment", {"payment_method": payment_method}, json=json)


def ship(
    ctx: typer.Context, order: Order, line: Line = None, quantity: Quantity = None, url: Url = "", json: Json = False
) -> None:
    """Units left the house."""
    _wish(ctx, url, order, "ship", _units(line, quantity), json=json)


def deliver(
    ctx: typer.Context, order: Order, line: Line = None, quantity: Quantity = None, url: Url = "", json: Json = False
) -> None:
    """Units arrived."""
    _wish(ctx, url, order, "deliver", _units(line, quantity), json=json)


def take_back(
    ctx: typer.Context,
    order: Order,
    restock: Annotated[bool, typer.Option("--restock/--write-off", help="On sale again, or lost.")],
    line: Line = None,
    quantity: Quantity = None,
    key: Key = "",
    url: Url = "",
    json: Json = False,
) -> None:
    """Sold units come back, and their money goes back."""
    _wish(ctx, url, order, "return", _units(line, quantity) | {"restock": restock}, key, json=json)


def refund(
    ctx: typer.Context,
    order: Order,
    amount: Annotated[int, typer.Option(min=1, help="In minor units (cents).")],
    reason: Annotated[str, typer.Option()] = "by operator",
    key: Key = "",
    url: Url = "",
    json: Json = False,
) -> None:
    """Money back without goods."""
    _wish(ctx, url, order, "refund", {"amount": amount, "reason": reason}, key, json=json)


def settle(
    ctx: typer.Context,
    order: Order,
    outcome: Annotated[Found, typer.Option(help="What it came to.")],
    reference: Annotated[str, typer.Option(help="Where it can be looked up at the provider.")],
    url: Url = "",
    json: Json = False,
) -> None:
    """Tell an order what became of a request that the provider never answered."""
    _wish(ctx, url, order, "settle", {"outcome": outcome.value, "reference": reference}, json=json)


def describe(event: dict[str, Any]) -> str:
    """A change of status in one line."""
    notes = [event["reason"]] if event.get("reason") else []
    notes += ["on its way back"] if event.get("compensating") else []
    came_from = f"{event['from']} -> " if "from" in event else ""
    return f"{event['time']}  {came_from}{event['to']}{'  (' + ', '.join(notes) + ')' if notes else ''}"


def _wish(
    ctx: typer.Context, url: str, order: str, step: str, body: object = None, key: str | None = None, *, json: bool
) -> None:
    """As an operator; `key` "" = a new one."""
    headers = {} if key is None else {"Idempotency-Key": key or f"cli-{secrets.token_hex(8)}"}
    reply = gateway(ctx, url, ops=True).expect("POST", f"{_path(order)}/{step}", body, headers)
    answer({**reply.body, **({"key": headers["Idempotency-Key"]} if headers else {})}, as_json=json)


def _path(order: str) -> str:
    return f"/v1/orders/{quote(order, safe='')}"


def _units(line: int | None, quantity: int | None) -> dict[str, Any]:
    if (line is None) != (quantity is None):
        message = "--line and --quantity go together; without them it is all that is left"
        raise typer.BadParameter(message)
    return {} if line is None else {"line": line, "quantity": quantity}


def _print(body: dict[str, Any]) -> None:
    nested = ("lines", "history", "payment")
    money = {f"payment_{name}": value for name, value in body.get("payment", {}).items()}
    print_fields({name: value for name, value in body.items() if name not in nested} | money)
    names = ("line", "sku", "quantity", "state", "unit_price", "shipped", "delivered", "returned")
    lines = body.get("lines", ())
    if lines:
        print_columns(
            [name.replace("_", " ") for name in names], [[one.get(name, 0) for name in names] for one in lines]
        )
    for event in body.get("history", ()):
        typer.echo(describe(event))


COMMANDS = {
    "show": show,
    "list": list_,
    "cancel": cancel,
    "pay": pay,
    "ship": ship,
    "deliver": deliver,
    "return": take_back,
    "refund": refund,
    "settle": settle,
}
