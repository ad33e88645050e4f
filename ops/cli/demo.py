"""`turnstile demo`: see ops/demo."""

import json as json_text
import re
from typing import Annotated, Any

import typer
from rich.console import Console

from ops.cli.output import Json
from ops.cli.session import run, settings_of
from ops.cli.starting import STARTING
from ops.demo.plan import Options
from ops.demo.run import DemoError, run_demo
from ops.demo.verdict import Judgement

EXIT_FAIL = 1
Share = typer.Option(min=0, max=1)
_LINES = (
    ("granted", "holds granted"),
    ("sold", "units sold"),
    ("oversold", "units too many"),
    ("undersold", "refused while units were there"),
    ("double_holds", "customers served twice"),
    ("duplicates_absorbed", "repeated requests answered alike"),
    ("undecided", "requests without a decision"),
    ("wrong_answers", "answers against the ledger"),
    ("fifo_violations", "out of turn"),
    ("confirmed", "orders confirmed"),
    ("declined", "payment attempts declined"),
    ("double_charges", "customers charged twice"),
    ("stuck_orders", "orders without an end"),
    ("violations", "violations found by the auditor"),
)


def demo(
    ctx: typer.Context,
    shoppers: Annotated[int, typer.Option(min=1, help="How many come.")] = 10_000,
    units: Annotated[int, typer.Option(min=1, help="Units of each SKU.")] = 100,
    skus: Annotated[int, typer.Option(min=1, max=100, help="Products.")] = 5,
    hot: Annotated[float, typer.Option(min=0, max=1, help="Share of shoppers who want the first SKU.")] = 0.8,
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of requests sent twice.")] = 0.15,
    abandon: Annotated[float, typer.Option(min=0, max=1, help="Share of holders who let go.")] = 0.3,
    seed: Annotated[int, typer.Option(help="Other shoppers, another moment of the kill.")] = 7,
    seconds: Annotated[float, typer.Option(min=1, help="How long shoppers keep arriving.")] = 40.0,
    kill: Annotated[bool, typer.Option(help="Kill -9 the hot SKU's owner in the middle of the sale.")] = True,
    declines: Annotated[float, typer.Option(min=0, max=1, help="Share of payment attempts that are declined.")] = 0.03,
    provider_latency: Annotated[str, typer.Option(help="How long the provider takes to answer.")] = "120ms",
    brownout: Annotated[str, typer.Option(help="So long it hardly answers, in the middle of the sale.")] = "5s",
    json: Json = False,
) -> None:
    """Sell a drop to thousands of shoppers, kill a worker with -9 in the middle, prove the result from the ledger.

    A real broker, two workers, two gateways, payments and mail, in a temporary folder. Exit code 1 if the verdict is
    not pass.
    """
    latency_ms, brownout_s = duration_ms(provider_latency), duration_ms(brownout) / 1000
    options = Options(
        shoppers, units, skus, hot, duplicates, abandon, seed, seconds, kill, declines, latency_ms, brownout_s
    )
    console = Console(stderr=json)
    judgement = run(run_demo(options, settings_of(ctx), console), {**STARTING, DemoError: ""})
    _show(judgement, console)
    if json:
        typer.echo(json_text.dumps(judgement.figures))
    if not judgement.passed:
        raise typer.Exit(EXIT_FAIL)


def duration_ms(text: str) -> int:
    """Milliseconds of `120ms`, `5s` or `0`; a usage error for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)|0", text)
    if match is None:
        message = f"{text!r}: a number with ms or s, such as 120ms or 5s"
        raise typer.BadParameter(message)
    return round(float(match[1]) * (1000 if match[2] == "s" else 1)) if match[1] else 0


def _show(judgement: Judgement, console: Console) -> None:
    figures: dict[str, Any] = judgement.figures
    console.print()
    total = figures["units"] * figures["skus"]
    console.print(f"{figures['shoppers']:,} shoppers, {total} units, {figures['duplicates']} repeated requests")
    for name, label in _LINES:
        console.print(f"  {figures[name]:>7,}  {label}")
    console.print(
        f"  {figures['decisions_per_s']:,.0f} decisions/s, p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms"
    )
    console.print(
        f"  {_euros(figures['captured'])} captured, {_euros(figures['refunded'])} refunded, "
        f"{_euros(figures['voided'])} voided: the confirmed orders cost {_euros(figures['confirmed_amount'])}",
        soft_wrap=True,
    )
    if figures["killed"]:
        console.print(
            f"  {figures['killed']} was killed with -9 after {figures['decided_at_kill']:.0%} of the requests; "
            f"{figures['claimed_by']} took over; the hot SKU stood still for {figures['failover_s']:.2f} s",
            soft_wrap=True,
        )
    for reason in judgement.reasons:
        console.print(f"  ! {reason}", style="red", highlight=False, markup=False, soft_wrap=True)
    style = "bold green" if judgement.passed else "bold red"
    console.print(f"verdict: {figures['verdict']}", style=style)


def _euros(cents: int) -> str:
    return f"{cents / 100:,.2f} EUR"


COMMANDS = {"": demo}
