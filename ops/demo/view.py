"""What the demo shows while it runs: a live screen on a terminal, plain lines elsewhere."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ops.demo.answers import Progress
from ops.demo.watch import LedgerWatch

SCREEN_S = 0.25
PLAIN_S = 2.0


class View:
    """A context manager. `console` decides what it can show; feed `progress` and `happened`, call `tick` often."""

    def __init__(self, console: Console, shoppers: int) -> None:
        self.progress = Progress("sale", 0, 0, 0, 0, 0.0, 0.0)
        self._console = console
        self._shoppers = shoppers
        self._live: Live | None = None
        self._shown_s = 0.0
        self._started_s = time.monotonic()

    def __enter__(self) -> Self:
        self._started_s = time.monotonic()
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def happened(self, line: str) -> None:
        """Something that one should see: it stays above the live part of the screen."""
        text = f"{time.monotonic() - self._started_s:5.1f} s  {line}"
        self._console.print(text, highlight=False, soft_wrap=True, style="bold yellow" if "kill" in line else None)

    def tick(self, watch: LedgerWatch) -> None:
        """Show the present, if it is time to."""
        now_s = time.monotonic()
        if now_s - self._shown_s < (SCREEN_S if self._live else PLAIN_S):
            return
        self._shown_s = now_s
        if self._live is not None:
            self._live.update(Group(self._headline(watch), _stock(watch), _owners(watch)), refresh=True)
        else:
            self._console.print(
                f"{now_s - self._started_s:5.1f} s  {self._headline(watch)}", highlight=False, soft_wrap=True
            )

    def _headline(self, watch: LedgerWatch) -> Text:
        told = self.progress
        parts = [
            told.phase,
            f"{watch.requests_decided:,} of {self._shoppers:,} decided",
            f"{watch.decisions_per_s():,.0f} decisions/s",
            f"p50 {told.p50_ms:.0f} ms, p99 {told.p99_ms:.0f} ms",
            f"{told.granted} granted",
            f"{told.retries} retries",
        ]
        return Text("  |  ".join(parts))


def _stock(watch: LedgerWatch) -> Table:
    table = Table("SKU", "received", "available", "held", "sold")
    for _, totals in sorted(watch.stock.items()):
        table.add_row(totals.sku, str(totals.received), str(totals.available), str(totals.held), str(totals.sold))
    return table


def _owners(watch: LedgerWatch) -> Table:
    table = Table("partition", "owner", "epoch", "lag")
    for number, followed in enumerate(watch.partitions):
        owner = followed.owner or "-"
        table.add_row(str(number), owner, str(followed.accepted.epoch), str(followed.lag))
    return table
