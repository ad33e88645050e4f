"""What a machine knows at one ledger offset besides the fold's state, as bytes: the part of a snapshot that is ours.

Unpublished records come with it, bodies and all: which records before the offset were accepted is not to be seen from
the ledger's tail.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from streams.acceptance import Acceptance
from streams.outbox import Outbox, Pending
from streams.records import Claim, Genesis, UndecodableError


class Head(NamedTuple):
    """`watermark`, `newest`, `pending`: of the outbox. `last_claim_ms`, `disturbances`: of the takeover's clock."""

    accepted: Acceptance
    watermark: int
    newest: int
    pending: tuple[Pending, ...]
    last_claim_ms: int
    disturbances: tuple[int, ...]

    def outbox(self, now_ms: int) -> Outbox:
        """Whose facts wait since now: nobody knows for how long they did."""
        outbox = Outbox()
        for each in self.pending:
            outbox.accepted(each.ledger_offset, each.kind, each.body, now_ms, silent=False)
        outbox.watermark = self.watermark
        outbox.newest = self.newest
        return outbox


class _Acceptance(NamedTuple):
    """The slots of Acceptance, by name."""

    offset: int
    epoch: int
    nonce: bytes
    src: int
    cmd_digest: bytes
    clk: int
    digest: bytes
    decisions: int
    published: int
    genesis: Genesis | None
    claim: Claim | None
    claims_here: int
    yielded_to: str | None
    pin: str
    excused: bytes
    ruled_epoch: int
    ring: list[tuple[int, int, bytes, bytes]]


class _Stored(NamedTuple):
    accepted: _Acceptance
    watermark: int
    newest: int
    last_claim_ms: int
    disturbances: tuple[int, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode
_decode_pending = msgspec.msgpack.Decoder(list[Pending]).decode


def encode_head(head: Head) -> bytes:
    """Without `pending`."""
    accepted = _Acceptance._make(getattr(head.accepted, name) for name in _Acceptance._fields)
    return _encode(_Stored(accepted, head.watermark, head.newest, head.last_claim_ms, head.disturbances))


def decode_head(data: bytes) -> Head:
    """With no `pending` yet; UndecodableError if it is none."""
    try:
        stored = _decode(data)
    except ValueError as error:  # msgspec.MsgspecError is one
        raise UndecodableError(str(error)) from error
    accepted = Acceptance()
    for name, value in zip(_Acceptance._fields, stored.accepted, strict=True):
        setattr(accepted, name, value)
    return Head(accepted, stored.watermark, stored.newest, (), stored.last_claim_ms, stored.disturbances)


def encode_pending(pending: Iterable[Pending]) -> bytes:
    """Some of the unpublished records."""
    return _encode([each._replace(since_ms=0) for each in pending])


def decode_pending(data: bytes) -> list[Pending]:
    """UndecodableError if it is none."""
    try:
        return _decode_pending(data)
    except ValueError as error:  # msgspec.MsgspecError is one
        raise UndecodableError(str(error)) from error
