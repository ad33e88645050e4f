"""One partition of one ledger in the simulation: its logs, its fold, and what its facts are."""

from typing import TYPE_CHECKING, Any

from streams.fold import Fold
from streams.records import (
    Genesis,
    encode_genesis,
    encode_ledger_genesis,
)
from tests.simulation.logs import Log

if TYPE_CHECKING:
    from tests.simulation.referee import Referee
    from tests.simulation.scheduler import Scheduler


class Part:
    """`place`: its number among all parts of the world, of whatever ledger."""

    referee: "Referee"

    def __init__(self, scheduler: "Scheduler", fold: Fold[Any], place: int, partition: int) -> None:
        self.fold = fold
        self.place = place
        self.partition = partition
        self.name = f"{fold.name}{partition}"
        self.commands = Log(scheduler, f"{fold.name}.commands", partition)
        self.ledger = Log(scheduler, f"{fold.name}.ledger", partition)
        self.events = Log(scheduler, f"{fold.name}.events", partition)

    def begin(self, log_id: bytes, partitions: int) -> None:
        """What `turnstile topics apply` does."""
        genesis = Genesis(log_id, partitions, self.partition)
        self.commands.append(encode_genesis(genesis))
        self.ledger.append(encode_ledger_genesis(genesis, *self.commands.records[0]))

    def records_of(self, fact: bytes) -> list[bytes]:
        """What an owner's publisher appends to the events log for an accepted record's fact."""
        return [fact]
