"""The auditor: reads a whole log with an own reading of its rules and says what is wrong with it, if anything is.

with kafka_source(servers, topics) as source:
    report = audit(source)
"""

from collections import Counter
from collections.abc import Iterable

from domain.outcomes import Outcome
from ops.audit.journey import Money, against_book, against_sql, against_stock
from ops.audit.order_row import OrderRow
from ops.audit.order_subject import OrderSubject
from ops.audit.partition import Options, PartitionAudit
from ops.audit.pools import Hold
from ops.audit.report import OrderFigures, Report
from ops.audit.source import Source, Stream
from ops.audit.stock_subject import StockSubject
from ops.audit.tally import Tally
from ops.audit.violations import Findings, Kind


def audit(source: Source, partitions: Iterable[int] | None = None, options: Options = Options()) -> Report:  # noqa: B008 - immutable
    """Audit these partitions, or all. SourceError if the records cannot be read."""
    whole = _Audit(source, options)
    wanted = list(range(source.partitions) if partitions is None else partitions)
    for partition in wanted:
        whole.stock(partition)
    for partition in wanted:
        if source.end(Stream.ORDER_LEDGER, partition):
            whole.orders(partition)
    if len(wanted) == source.partitions:  # holds and orders of one order lie in several partitions
        whole.compare()
    return whole.report()


class _Audit:
    """One audit under way."""

    def __init__(self, source: Source, options: Options) -> None:
        self._source = source
        self._options = options
        self._counts: Counter[Kind] = Counter()
        self._outcomes: Counter[Outcome] = Counter()
        self._log_ids: set[str] = set()
        self._report = Report("", [], [], [], self._counts, self._outcomes, 0, {}, {}, [])
        self._holds: dict[bytes, Hold] = {}
        self._rows: dict[int, dict[bytes, OrderRow]] = {}

    def stock(self, partition: int) -> None:
        """One partition of the stock ledger."""
        findings, options = Findings(partition), self._options
        subject = StockSubject(partition, findings, keep=options.keep, replay=options.replay)
        one = PartitionAudit(self._source, partition, subject, findings, options)
        one.run()
        self._same_log(one)
        self._report.partitions.append(one.figures())
        self._report.pools.extend(subject.pools())
        self._report.decisions.update(one.tally.decisions)
        self._report.moments[partition] = one.tally.moments
        self._holds.update(subject.stock.holds)
        self._found(findings, one.tally)

    def orders(self, partition: int) -> None:
        """One partition of the order ledger."""
        findings = Findings(partition)
        subject = OrderSubject(partition, findings)
        one = PartitionAudit(self._source, partition, subject, findings, self._options)
        one.run()
        self._same_log(one)
        self._report.order_partitions.append(one.figures())
        self._rows[partition] = subject.rows
        self._found(findings, one.tally)

    def compare(self) -> None:
        """Orders against stock, the book and SQL."""
        options = self._options
        for partition, rows in self._rows.items():
            findings = Findings(partition)
            mine = {
                hold_id: hold for hold_id, hold in self._holds.items() if hold_id[:2] == partition.to_bytes(2, "big")
            }
            against_stock(rows, self._holds, mine, findings, self._source.orders_before(partition))
            if options.records is not None:
                copied_to = options.records.copied_to.get(partition, -1)
                against_sql(rows, options.records.orders, findings, copied_to)
            self._found(findings, None)
        if options.book is not None:
            findings = Findings(-1)
            everything = {order: row for rows in self._rows.values() for order, row in rows.items()}
            against_book(everything, self._book(), findings)
            self._found(findings, None)

    def report(self) -> Report:
        """What was found."""
        rows = [row for rows in self._rows.values() for row in rows.values()]
        book = self._options.book
        orders = OrderFigures(
            dict(sorted(Counter(row.public for row in rows).items())),
            sum(not row.is_settled for row in rows),
            sum(row.captured for row in rows),
            sum(row.refunded for row in rows),
            *(() if book is None else _sums(self._book())),
        )
        return self._report._replace(log_id=", ".join(sorted(self._log_ids)), orders=orders)

    def _book(self) -> list[Money]:
        """The intents of this log's orders: a provider may serve others too."""
        return [money for money in self._options.book or () if money.environment in self._log_ids]

    def _same_log(self, one: PartitionAudit) -> None:
        if one.chain.genesis is None:
            return
        self._log_ids.add(one.chain.genesis.log_id.hex())
        if len(self._log_ids) > 1:
            one.findings.at(0)
            one.findings.add(Kind.GENESIS, "the partitions are of several logs")

    def _found(self, findings: Findings, tally: Tally | None) -> None:
        self._report.violations.extend(findings.kept)
        self._counts.update(findings.counts)
        if tally is not None:
            known = set(Outcome)
            self._outcomes.update({Outcome(code): n for code, n in tally.outcomes.items() if code in known})
            self._report = self._report._replace(repeats=self._report.repeats + tally.repeats)


def _sums(charges: list[Money]) -> tuple[int, int, int]:
    return (
        sum(money.captured for money in charges),
        sum(money.refunded for money in charges),
        sum(money.voided for money in charges),
    )
