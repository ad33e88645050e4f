"""The auditor on a simulated world, with the provider's book where there is one."""

from ops import evidence
from ops.audit.journey import Money
from ops.audit.partition import Options
from ops.audit.report import Report
from ops.audit.source import Entry, MemorySource, Stream
from ops.audit.verify import audit
from tests.simulation.journey import Journey
from tests.simulation.world import World

STREAMS = {
    "stock": (Stream.LEDGER, Stream.COMMANDS),
    "order": (Stream.ORDER_LEDGER, Stream.ORDER_COMMANDS),
}


def audited(world: World) -> Report:
    """What it has to say."""
    entries = {}
    for part in world.parts:
        for stream, log in zip(STREAMS[part.fold.name], (part.ledger, part.commands), strict=True):
            records = [Entry(offset, *record) for offset, record in enumerate(log.records)]
            entries[stream, part.partition] = records[log.start :]
    return audit(MemorySource(len(world.stock), entries), options=Options(replay=True, book=_book(world)))


def _book(world: World) -> list[Money] | None:
    if not isinstance(world, Journey):
        return None
    return evidence.book(world.provider.book.charges())
