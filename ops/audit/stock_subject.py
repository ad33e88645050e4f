"""Stock as the subject of an audit: which topics, whose rules."""

from typing import Any

from ops.audit.commands import CommandRecord
from ops.audit.decision import Judge
from ops.audit.replay import Replay
from ops.audit.report import PoolFigures
from ops.audit.seat import Seat
from ops.audit.source import Stream
from ops.audit.stock import Stock
from ops.audit.tally import Tally
from ops.audit.violations import Findings
from streams.records import DECIDED, RULING, BatchCodec, Decided
from streams.stock_records import BATCHES, StockDetails, decode_details


class StockSubject:
    """Of one partition. `replay`: run the product's own decide over it as well."""

    ledger = Stream.LEDGER
    commands = Stream.COMMANDS
    batches: BatchCodec[Any] = BATCHES

    def __init__(self, partition: int, findings: Findings, *, keep: bool, replay: bool) -> None:
        self.stock = Stock(findings)
        self.tally = Tally(partition, keeps=keep)
        self._partition = partition
        self._judge = Judge(findings, self.stock, self.tally)
        self._replay = Replay(partition, findings) if replay else None

    def details(self, decided: Decided) -> StockDetails:
        """UndecodableError if they are none."""
        return decode_details(decided.details)

    def lawful(self, details: StockDetails) -> bool:
        """Conservation, and each sequence one more than before."""
        return self.stock.lawful(details.totals)

    def decision(self, decided: Decided, details: StockDetails, command: CommandRecord | None, seat: Seat) -> None:
        """Every answer and every change of a DECIDED."""
        self._judge.decision(decided, details, command, seat)
        if self._replay is not None:
            self._replay.decision(DECIDED, decided, command)

    def ruling(self, decided: Decided, details: StockDetails, command: CommandRecord | None) -> None:
        """A RULING changes nothing."""
        self._judge.ruling(decided, details, command)
        if self._replay is not None:
            self._replay.decision(RULING, decided, command)

    def pools(self) -> list[PoolFigures]:
        """Of each SKU, by own count."""
        return [
            PoolFigures(
                sku,
                self._partition,
                pool.received,
                pool.available,
                pool.held,
                pool.sold,
                pool.written_off,
                pool.granted,
            )
            for sku, pool in sorted(self.stock.pools.items())
        ]
