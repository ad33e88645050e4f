"""A snapshot: all that a machine knows after some ledger offset, in shards, and a meta record that vouches for them.

Shards are numbered; the meta record has the hash of each, so one that is torn, missing, added or of another snapshot
is found. What the meta record claims is checked by `check` and, against the ledger, by its tip.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from domain.outcomes import InvariantViolatedError
from streams.acceptance import Acceptance
from streams.fold import Fold, Shard
from streams.head import Head, decode_head, decode_pending, encode_head, encode_pending
from streams.machine import PartitionMachine
from streams.outbox import Pending
from streams.records import DIGEST_BYTES, UndecodableError, digest
from tables.gather import portions

FORMAT = 1
HEAD = "head"
PENDING = "pending"
_PENDING_BYTES = 256 * 1024


class BadSnapshotError(ValueError):
    """It is torn, or not of this log: throw it away, and fold from another one or from the beginning."""


class OtherVersionError(BadSnapshotError):
    """Another version of the program wrote it, and may still want it: leave it, and fold from another."""


class Meta(NamedTuple):
    """Written last. `tip`: digest of the ledger record at `offset`, the last one that was folded.

    `ledger`, `layout`: of the fold. `hashes`: of the shards, one after another. `decisions`: in all that was folded.
    `code` wrote it, at `taken_ms` (wall clock).
    """

    ledger: str
    layout: int
    rules_version: int
    log_id: bytes
    partition: int
    offset: int
    tip: bytes
    decisions: int
    hashes: bytes
    code: str
    taken_ms: int

    @property
    def shards(self) -> int:
        """How many there are."""
        return len(self.hashes) // DIGEST_BYTES


_encode = msgspec.msgpack.Encoder().encode
_decode_meta = msgspec.msgpack.Decoder(Meta).decode
_Coded = tuple[str, bytes]
_decode_shard = msgspec.msgpack.Decoder(_Coded).decode


def encode_meta(meta: Meta) -> bytes:
    """Behind the format, and a digest of its own."""
    body = _encode(meta)
    return bytes((FORMAT,)) + digest(body) + body


def decode_meta(value: bytes) -> Meta:
    """BadSnapshotError if it is torn, OtherVersionError if this program does not know its format."""
    if value[:1] not in {b"", bytes((FORMAT,))}:
        message = f"it is of format {value[0]}, not {FORMAT}"
        raise OtherVersionError(message)
    body = value[1 + DIGEST_BYTES :]
    if digest(body) != value[1 : 1 + DIGEST_BYTES]:
        message = "its meta record is torn"
        raise BadSnapshotError(message)
    try:
        return _decode_meta(body)
    except ValueError as error:  # msgspec.MsgspecError is one
        raise BadSnapshotError(str(error)) from error


def encode_shard(shard: Shard) -> bytes:
    """A shard's value."""
    return _encode(shard)


def hash_of(value: bytes) -> bytes:
    """What the meta record has of a shard's value, and of the tip's."""
    return digest(value)


def check(meta: Meta, fold: Fold[Any], partition: int, log_id: bytes) -> None:
    """Whether this program can go on from there: OtherVersionError, BadSnapshotError. `log_id` b"": any log's."""
    if (meta.ledger, meta.partition) != (fold.name, partition) or log_id not in {b"", meta.log_id}:
        message = f"it is of {meta.ledger} {meta.partition} of log {meta.log_id.hex()}"
        raise BadSnapshotError(message)
    if meta.layout != fold.layout:
        message = f"it is of layout {meta.layout}, not {fold.layout}"
        raise OtherVersionError(message)
    if meta.rules_version not in fold.rules_versions:
        message = f"it needs rules {meta.rules_version}"
        raise OtherVersionError(message)


def check_tip(meta: Meta, record: bytes | None) -> None:
    """BadSnapshotError unless `record` is what the ledger had at its offset (None: the ledger has nothing there)."""
    if record is None or hash_of(record) != meta.tip:
        message = f"the ledger has {'no' if record is None else 'another'} record at {meta.offset}"
        raise BadSnapshotError(message)


class Picture:
    """A machine that stands still, as shards; what it knows of the protocol is copied at once."""

    def __init__(self, machine: PartitionMachine) -> None:
        """ValueError if the machine cannot say which ledger record it folded last."""
        genesis, newest = machine.accepted.genesis, machine.newest
        if genesis is None or newest is None or newest[0] != machine.accepted.offset:
            message = f"partition {machine.partition} has no tip at {machine.accepted.offset}"
            raise ValueError(message)
        self._machine = machine
        self._fold = machine.fold
        self._state = machine.state
        self._genesis = genesis
        self._tip = hash_of(newest[1])
        self._hashes = bytearray()
        takeover, outbox = machine.takeover, machine.outbox
        self._head = Head(
            machine.accepted.fork(),
            outbox.watermark,
            outbox.newest,
            outbox.pending,
            takeover.last_claim_ms,
            takeover.disturbances,
        )

    def stands(self) -> bool:
        """Whether the machine still knows just that: false as soon as it has gone on. Ask after each shard."""
        machine = self._machine
        return (
            machine.standstill.on
            and machine.state is self._state
            and machine.accepted.offset == self._head.accepted.offset
        )

    def shards(self) -> Iterator[bytes]:
        """Their values, in order, once."""
        for shard in self._shards():
            value = encode_shard(shard)
            self._hashes += hash_of(value)
            yield value

    def _shards(self) -> Iterator[Shard]:
        yield Shard(HEAD, encode_head(self._head))
        for some in portions(self._head.pending, lambda each: len(each.body), _PENDING_BYTES):
            yield Shard(PENDING, encode_pending(some))
        yield from self._fold.dump(self._state)

    def meta(self, code: str, taken_ms: int) -> Meta:
        """What vouches for them: after the last one."""
        accepted: Acceptance = self._head.accepted
        return Meta(
            ledger=self._fold.name,
            layout=self._fold.layout,
            rules_version=self._fold.rules_version(self._state),
            log_id=self._genesis.log_id,
            partition=self._genesis.partition,
            offset=accepted.offset,
            tip=self._tip,
            decisions=accepted.decisions,
            hashes=bytes(self._hashes),
            code=code,
            taken_ms=taken_ms,
        )


class Loading:
    """The shards of one snapshot on their way back, in order."""

    def __init__(self, meta: Meta, fold: Fold[Any]) -> None:
        self.meta = meta
        self.state = fold.new_state(meta.partition)
        self._fold = fold
        self._at = 0
        self._head: Head | None = None
        self._pending: list[Pending] = []

    def add(self, value: bytes) -> None:
        """The next one. BadSnapshotError if it is not what the meta record vouches for."""
        at = self._at * DIGEST_BYTES
        if hash_of(value) != self.meta.hashes[at : at + DIGEST_BYTES]:
            message = f"its shard {self._at} is torn"
            raise BadSnapshotError(message)
        self._at += 1
        try:
            name, data = _decode_shard(value)
            if name == HEAD:
                self._head = decode_head(data)
            elif name == PENDING:
                self._pending += decode_pending(data)
            else:
                self._fold.load(self.state, Shard(name, data))
        except (ValueError, LookupError, UndecodableError, InvariantViolatedError) as error:
            message = f"its shard {self._at - 1} cannot be read: {error!r}"
            raise BadSnapshotError(message) from error

    def head(self) -> Head:
        """After the last shard. BadSnapshotError if some are missing, or it is not of the meta record's offset."""
        head = self._head
        if self._at != self.meta.shards or head is None:
            message = f"it has {self._at} shards of {self.meta.shards}"
            raise BadSnapshotError(message)
        accepted = head.accepted
        if (accepted.offset, accepted.decisions) != (self.meta.offset, self.meta.decisions):
            message = f"its head is of ledger offset {accepted.offset}, its meta record of {self.meta.offset}"
            raise BadSnapshotError(message)
        return head._replace(pending=tuple(self._pending))
