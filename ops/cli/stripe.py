"""`turnstile stripe ...`: the payment provider's stand-in, as a process of its own."""

import json as json_text
import os
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from adapters.stand_in.charges import Charge, read_lines
from adapters.stand_in.triggers import Trigger
from ops.cli.output import Json, answer, print_columns, print_fields, print_json
from ops.cli.session import settings_of
from ops.cli.stand_in_client import StandInClient
from ops.supervisor import python_module
from settings import environment_with

POLL_S = 0.3
KINDS = ("events", "deliveries")
TEST_PORT = 12_111
HEADINGS = ("intent", "order", "attempt", "status", "authorised", "captured", "refunded", "voided", "currency")
MONEY = ("authorised", "captured", "refunded", "voided")
StandIn = Annotated[str, typer.Option("--url", help="stand-in+http://HOST:PORT; default: that of `turnstile up`.")]


def serve(
    ctx: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 = a free one.")] = TEST_PORT,
    behaviour: Annotated[str, typer.Option(help="Such as declines=0.03&latency_ms=120&slow=0.01&seed=7.")] = "",
    webhook: Annotated[str, typer.Option(help="Where webhooks go.")] = "",
) -> None:
    """Run a stand-in in the foreground, in place of this process. TERM or Ctrl-C stops it; its book stays."""
    settings_of(ctx)
    values: dict[str, object] = {"stand_in_port": port}
    values.update({"stand_in_behaviour": behaviour} if behaviour else {})
    values.update({"stand_in_webhook_url": webhook} if webhook else {})
    argv = python_module("adapters.stand_in")
    os.execve(argv[0], argv, environment_with(values))  # noqa: S606 - no shell is wanted


def listen(
    ctx: typer.Context,
    count: Annotated[int, typer.Option(min=0, help="End after so many; 0 = never.")] = 0,
    past: Annotated[bool, typer.Option(help="What has happened already, too.")] = False,
    url: StandIn = "",
    json: Json = False,
) -> None:
    """Print events and the deliveries of their webhooks as they come, until Ctrl-C."""
    client = StandInClient(settings_of(ctx), url)
    seen = dict.fromkeys(KINDS, 0)
    if not past:
        for kind in KINDS:
            while rows := client.ask("GET", f"{kind}?after={seen[kind]}"):
                seen[kind] = rows[-1]["number"]
    printed = 0
    while True:
        for kind in KINDS:
            for row in client.ask("GET", f"{kind}?after={seen[kind]}"):
                seen[kind] = row["number"]
                typer.echo(json_text.dumps({"kind": kind, **row}) if json else _line(kind, row))
                printed += 1
                if printed == count:
                    return
        time.sleep(POLL_S)


def trigger(
    ctx: typer.Context,
    action: Annotated[Trigger, typer.Argument(help="What happens.")],
    intent: Annotated[str, typer.Argument(help="To which intent: pi_...")],
    url: StandIn = "",
    json: Json = False,
) -> None:
    """Let a customer pass (complete) or fail 3-D Secure, or an authorisation be too old (expire)."""
    client = StandInClient(settings_of(ctx), url)
    answer(client.ask("POST", "triggers", {"action": action, "intent": intent}), as_json=json)


def book(ctx: typer.Context, url: StandIn = "", json: Json = False) -> None:
    """Print the book of charges, one row an intent, and what it adds up to. Money in minor units."""
    charges = read_lines(StandInClient(settings_of(ctx), url).read("GET", "book"))
    totals = totals_of(charges)
    if json:
        print_json({"charges": [_row(charge) for charge in charges], **totals})
        return
    print_columns(HEADINGS, [[_row(charge)[name] for name in ("id", *HEADINGS[1:])] for charge in charges])
    typer.echo()
    print_fields({name: value for name, value in totals.items() if name != "totals"})
    for currency, sums in totals["totals"].items():
        typer.echo(f"{currency}: " + ", ".join(f"{name} {sums[name]:,}" for name in MONEY))


def totals_of(charges: list[Charge]) -> dict[str, Any]:
    """`double_charges`: orders for which more than one intent was captured and not refunded in full."""
    sums: dict[str, Counter[str]] = {}
    paid: Counter[tuple[str, str]] = Counter()
    for charge in charges:
        sums.setdefault(charge.currency, Counter()).update({name: getattr(charge, name) for name in MONEY})
        if charge.order and charge.captured > charge.refunded:
            paid[charge.environment, charge.order] += 1
    return {
        "intents": len(charges),
        "orders_charged": len(paid),
        "double_charges": sum(count > 1 for count in paid.values()),
        "totals": {currency: dict(counted) for currency, counted in sums.items()},
    }


def _row(charge: Charge) -> dict[str, Any]:
    return {name: getattr(charge, name) for name in charge.__struct_fields__}


def _line(kind: str, row: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(row["at_ms"] / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
    if kind == "events":
        text = f"{row['type']:42} {row['intent']}  order {row['order'] or '-'}:{row['attempt'] or '-'}"
        return f"{at}  {text}  {row['status']} {row['amount']} {row['currency']}"
    outcome = row["status"] or "no answer"
    return f"{at}  -> {row['type']:39} {row['intent']}  delivery {row['attempt']}: {outcome}"


COMMANDS = {"serve": serve, "listen": listen, "trigger": trigger, "book": book}
