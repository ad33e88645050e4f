"""A warm machine that stands still while its state is written down, and what it overhears meanwhile.

It folds nothing, yet it must not take an owner for silent whose records it leaves lying: each of them restarts the
wait of W9. A reason to claim ends the standstill, so no takeover waits for a snapshot.
"""

from typing import TYPE_CHECKING

from streams.deciding import has_facts
from streams.effects import Role, SeekLedger
from streams.records import CLAIM, UndecodableError, decode_decided, decode_ledger

if TYPE_CHECKING:
    from streams.machine import PartitionMachine


class Standstill:
    """Part of a machine. What it overhears is hearsay: it delays and prompts, and changes nothing that is folded."""

    def __init__(self, machine: "PartitionMachine") -> None:
        self._machine = machine
        self.on = False
        self._src = -1
        self._published = -1
        self._overheard = 0
        """One past the newest record of whatever kind."""
        self._end = 0
        """One past the newest record of the owner in office, and when it came."""
        self._heard_ms = 0
        self._facts: tuple[int, int] | None = None
        """Offset of the newest one that has facts, and when it came."""

    def begin(self) -> bool:
        """Fold nothing from now on. False if there is something better to do, or the last record is not known."""
        machine = self._machine
        if not self.on:
            known = machine.newest is not None and machine.newest[0] == machine.accepted.offset
            self.on = known and machine.role is Role.WARM and not self.catching_up() and not machine.vigil.is_stirred()
        return self.on

    def end(self) -> None:
        """Go on where the fold stands."""
        if self.on:
            self.on = False
            self._machine.ask(SeekLedger(self._machine.ledger_next))

    def overhear(self, offset: int, value: bytes) -> None:
        """A record that will be folded later. One that may hand the partition to somebody is not left lying."""
        accepted = self._machine.accepted
        self._overheard = offset + 1
        try:
            record = decode_ledger(value)
            if record.kind == CLAIM:
                self.end()
                return
            decided = decode_decided(record.body)
        except UndecodableError:
            return
        if (record.epoch, record.nonce) != (accepted.epoch, accepted.nonce):
            return
        self._end = offset + 1
        self._heard_ms = self._machine.now_ms
        self._machine.takeover.restart(self._heard_ms)
        self._src = max(self._src, decided.src)
        self._published = max(self._published, record.published)
        if has_facts(decided):
            self._facts = offset, self._heard_ms
        if decided.yielded_to is not None:
            self.end()

    @property
    def read_to(self) -> int:
        """One past what this worker has read of the ledger: folded or, while it stands still, overheard."""
        folded = self._machine.ledger_next
        return max(folded, self._overheard) if self.on else folded

    @property
    def src(self) -> int:
        """Newest decision overheard."""
        return self._src if self.on else -1

    @property
    def published(self) -> int:
        """Newest watermark overheard."""
        return self._published if self.on else -1

    def catching_up(self) -> bool:
        """Whether something that was overheard is still to be folded."""
        return self._machine.ledger_next < self._end

    def heard_ms(self, offset: int) -> int:
        """When this worker heard of a record that is folded now."""
        return self._heard_ms if offset < self._end else self._machine.now_ms

    def owed_since_ms(self) -> int | None:
        """Since when the newest overheard facts wait to be published; None if they are, or there are none."""
        return self._facts[1] if self.on and self._facts and self._facts[0] > self._published else None
