"""The auditor: reads a whole log with an own reading of its rules and says what is wrong with it, if anything is.

with kafka_source(servers, topics) as source:
    report = audit(source)
"""

from collections import Counter
from collections.abc import Iterable

from domain.outcomes import Outcome
from ops.audit.partition import Options, PartitionAudit
from ops.audit.report import Report
from ops.audit.source import Source
from ops.audit.stock_subject import StockSubject
from ops.audit.violations import Findings, Kind


def audit(source: Source, partitions: Iterable[int] | None = None, options: Options = Options()) -> Report:  # noqa: B008 - immutable
    """Audit these partitions, or all. SourceError if the records cannot be read."""
    counts: Counter[Kind] = Counter()
    outcomes: Counter[Outcome] = Counter()
    report = Report("", [], [], [], counts, outcomes, 0, {}, {})
    log_ids = set()
    for partition in range(source.partitions) if partitions is None else partitions:
        findings = Findings(partition)
        stock = StockSubject(partition, findings, keep=options.keep, replay=options.replay)
        one = PartitionAudit(source, partition, stock, findings, options)
        one.run()
        if one.chain.genesis is not None:
            log_ids.add(one.chain.genesis.log_id.hex())
            if len(log_ids) > 1:
                one.findings.at(0)
                one.findings.add(Kind.GENESIS, "the partitions are of several logs")
        report.partitions.append(one.figures())
        report.pools.extend(stock.pools())
        report.violations.extend(one.findings.kept)
        counts.update(one.findings.counts)
        outcomes.update({Outcome(code): count for code, count in one.tally.outcomes.items() if code in set(Outcome)})
        report.decisions.update(one.tally.decisions)
        report.moments[partition] = one.tally.moments
        report = report._replace(repeats=report.repeats + one.tally.repeats)
    return report._replace(log_id=", ".join(sorted(log_ids)))
