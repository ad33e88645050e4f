"""`turnstile move`: pin a partition to a worker and ask its owner to hand over, as commands in the log itself."""

import secrets

from domain.roles import Role
from ops.survey import PartitionState, survey
from streams.identity import Identity, read_identity
from streams.log import Log
from streams.protocol import Pin, Yield
from streams.records import BatchCodec
from streams.topics import Ledger, Topics

YIELD_MS = 5_000
"""An owner that comes to the Yield later than this keeps the partition: the operator is told, and asks again."""
SENDER = "turnstile-move"


class Mover:
    """One operator's moves in one ledger. `log` is open."""

    def __init__(self, log: Log, topics: Topics, ledger: Ledger = Ledger.STOCK) -> None:
        self._log = log
        self._topics = topics
        self._ledger = ledger
        self._batches: BatchCodec[Pin | Yield] = BatchCodec({})
        self._sender = f"{SENDER}@{secrets.token_hex(6)}"
        self._number = 0

    async def state(self, partition: int) -> PartitionState:
        """Who owns it now. LookupError for a partition that there is not."""
        states = await survey(self._log, self._topics, self._ledger)
        if not 0 <= partition < len(states):
            message = f"there is no partition {partition}: they are 0 to {len(states) - 1}"
            raise LookupError(message)
        return states[partition]

    async def pin(self, partition: int, worker: str) -> int:
        """Pin it ("" = automatic again); the log time of the command."""
        return await self._append(partition, Pin(worker))

    async def ask_to_yield(self, state: PartitionState, worker: str, log_ms: int) -> None:
        """Ask the owner in `state` to hand over to `worker` within 5 s of log time `log_ms`."""
        await self._append(state.partition, Yield(worker, state.epoch, log_ms + YIELD_MS))

    async def _append(self, partition: int, command: Pin | Yield) -> int:
        identity: Identity = await read_identity(self._log, self._topics)
        self._number += 1
        value = self._batches.encode(identity.log_id, Role.OPS, self._sender, self._number, [command])
        position = await self._log.append(self._topics.of(self._ledger).commands.name, partition, value)
        return position.timestamp_ms
