"""Accepted records whose facts are not yet known to be published, and the watermark below which all are (W4, W6)."""

from collections import deque
from typing import NamedTuple


class Pending(NamedTuple):
    """An accepted record with facts. `since_ms`: own monotonic time when it was accepted here."""

    ledger_offset: int
    kind: int
    body: bytes
    since_ms: int


class Outbox:
    """The same for owners, who publish, and for the others, who may have to publish again as the next owner."""

    def __init__(self) -> None:
        self.watermark = -1
        """Ledger offset up to which every fact is published."""
        self.newest = -1
        """Ledger offset of the last record that has facts."""
        self._pending: deque[Pending] = deque()
        self._acked: set[int] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def accepted(self, ledger_offset: int, kind: int, body: bytes, now_ms: int, *, silent: bool) -> None:
        """A record was accepted. `silent`: it has no facts (an idle tick), so nothing has to be published."""
        if not silent:
            self.newest = ledger_offset
            self._pending.append(Pending(ledger_offset, kind, body, now_ms))
        elif not self._pending:
            self.watermark = ledger_offset

    def acked(self, ledger_offset: int) -> None:
        """The broker has this record's facts; acks may come in any order, the watermark passes no gap."""
        self._acked.add(ledger_offset)
        pending = self._pending
        while pending and pending[0].ledger_offset in self._acked:
            done = pending.popleft().ledger_offset
            self._acked.discard(done)
            self.watermark = done

    def recorded(self, published: int) -> None:
        """An accepted record says that all facts up to `published` were known to be published."""
        pending = self._pending
        while pending and pending[0].ledger_offset <= published:
            self._acked.discard(pending.popleft().ledger_offset)
        self.watermark = max(self.watermark, published)

    def waits_since_ms(self, published: int = -1) -> int | None:
        """When the oldest unpublished record was accepted, by own clock. `published`: a watermark by hearsay."""
        return next((one.since_ms for one in self._pending if one.ledger_offset > published), None)

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The unpublished records, in order."""
        return tuple(self._pending)

    def unpublished(self) -> list[Pending]:
        """What a new owner publishes again, in order."""
        self._acked.clear()
        return list(self._pending)
