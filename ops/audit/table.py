"""A report for people: tables of SKUs and partitions, the head digests, and what was found."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.outcomes import Outcome
from ops.audit.report import OrderFigures, PartitionFigures, Report

SHOWN = 10
_POOL_COLUMNS = ("partition", "received", "available", "held", "sold", "written_off", "granted")
_PARTITION_COLUMNS = ("src", "undecided", "epoch", "claims", "lost_claims", "stale", "duplicates", "stall_ms")


def print_report(report: Report, console: Console) -> None:
    """Print it all; the verdict comes last."""
    console.print(_pools(report))
    console.print(_partitions("Ledger of stock", report.partitions))
    if report.order_partitions:
        console.print(_partitions("Ledger of orders", report.order_partitions))
        console.print(_orders(report.orders))
    console.print(_answers(report))
    unchecked = sum(figures.unchecked for figures in report.partitions)
    if unchecked:
        console.print(f"{unchecked} decisions are older than the commands topic: judged by the ledger alone")
    if report.ok:
        console.print(Text(f"log {report.log_id}: no violation", style="bold green"))
        return
    first = report.violations[0]
    total = sum(report.counts.values())
    console.print(Text(f"{total} violations; the first: {first}", style="bold red"), soft_wrap=True)
    for violation in report.violations[1:SHOWN]:
        console.print(Text(str(violation)), soft_wrap=True)
    console.print(", ".join(f"{kind}: {count}" for kind, count in sorted(report.counts.items())))


def _pools(report: Report) -> Table:
    table = Table("SKU", *(_heading(column) for column in _POOL_COLUMNS), title="Stock, by the auditor's own count")
    for pool in report.pools:
        table.add_row(pool.sku, *(str(getattr(pool, column)) for column in _POOL_COLUMNS))
    return table


def _orders(orders: OrderFigures) -> str:
    states = ", ".join(f"{count} {state}" for state, count in orders.states.items())
    book = f"; the provider's book: {orders.book_captured}, {orders.book_refunded}" if orders.book_captured >= 0 else ""
    money = f"captured {orders.captured}, refunded {orders.refunded}{book}"
    return f"Orders: {states or 'none'}; {orders.moving} under way. Minor units {money}"


def _partitions(title: str, partitions: list[PartitionFigures]) -> Table:
    headings = (_heading(column) for column in _PARTITION_COLUMNS)
    table = Table("partition", *headings, "head", "digest", title=title)
    for figures in partitions:
        cells = (str(getattr(figures, column)) for column in _PARTITION_COLUMNS)
        table.add_row(str(figures.partition), *cells, str(figures.offset), figures.digest)
    return table


def _answers(report: Report) -> str:
    told = sorted(report.outcomes.items())
    answers = ", ".join(f"{count} {Outcome(outcome).label}" for outcome, count in told if count)
    return f"Answers: {answers or 'none'}; repeated: {report.repeats}"


def _heading(column: str) -> str:
    return column.replace("_", " ")
