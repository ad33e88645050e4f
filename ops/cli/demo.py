"""`turnstile demo`: see ops/demo."""

import json as json_text
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
    seconds: Annotated[float, typer.Option(min=1, help="How long shoppers keep arriving.")] = 20.0,
    kill: Annotated[bool, typer.Option(help="Kill -9 the hot SKU's owner in the middle of the sale.")] = True,
    json: Json = False,
) -> None:
    """Sell a drop to thousands of shoppers, kill a worker with -9 in the middle, prove the result from the ledger.

    A real broker, two workers, two gateways, in a temporary folder. Exit code 1 if the verdict is not pass.
    """
    options = Options(shoppers, units, skus, hot, duplicates, abandon, seed, seconds, kill)
    console = Console(stderr=json)
    judgement = run(run_demo(options, settings_of(ctx), console), {**STARTING, DemoError: ""})
    _show(judgement, console)
    if json:
        typer.echo(json_text.dumps(judgement.figures))
    if not judgement.passed:
        raise typer.Exit(EXIT_FAIL)


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


COMMANDS = {"": demo}
