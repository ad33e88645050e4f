"""The records of the log, byte by byte: batches of commands, the ledger's header and bodies, facts.

Every value starts with a kind and a format version. Digests are over bytes as they are on the wire; nothing is ever
re-encoded to be checked.
"""

import hashlib
import struct
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from domain.roles import Role
from streams.protocol import PROTOCOL_COMMANDS
from streams.runs import Run, RunCodec

FORMAT = 2
DIGEST_BYTES = 16
NONCE_BYTES = 8
LOG_ID_BYTES = 16
BATCH_COMMANDS_MAX = 500
BATCH_BYTES_MAX = 64 * 1024
DECIDED_BYTES_MAX = 900 * 1024

GENESIS = 0
BATCH = 1
CLAIM = 1
DECIDED = 2
RULING = 3

_encode = msgspec.msgpack.Encoder().encode
_PREFIX = bytes((BATCH, FORMAT))
_STAMP = struct.Struct(">q")
_LEDGER = struct.Struct(f">BBI{NONCE_BYTES}sq{DIGEST_BYTES}s")
_FACT = struct.Struct(">BBq")

C = TypeVar("C", bound=tuple[Any, ...])


class UndecodableError(ValueError):
    """Bytes that are not a record of this format."""


def digest(*parts: bytes) -> bytes:
    """blake2b-128 of the parts, one after another."""
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for part in parts:
        state.update(part)
    return state.digest()


def command_digest(timestamp_ms: int, value: bytes) -> bytes:
    """What binds a decision to its command record: hash of the record's log time and bytes."""
    return digest(_STAMP.pack(timestamp_ms), value)


# --- genesis ----------------------------------------------------------------------------------------------------


class Genesis(NamedTuple):
    """Offset 0 of every commands and ledger partition. `cmd_digest`: in the ledger, of the commands topic's genesis."""

    log_id: bytes
    partitions: int
    partition: int
    cmd_digest: bytes = b""


_decode_genesis = msgspec.msgpack.Decoder(Genesis).decode


def encode_genesis(genesis: Genesis) -> bytes:
    """The commands topic's first record. In a ledger it is a body behind a header: `encode_ledger_genesis`."""
    return bytes((GENESIS, FORMAT)) + _encode(genesis)


def encode_ledger_genesis(genesis: Genesis, timestamp_ms: int, value: bytes) -> bytes:
    """The ledger's first record, bound to the commands topic's: when that was written, and its bytes."""
    body = encode_body(genesis._replace(cmd_digest=command_digest(timestamp_ms, value)))
    return encode_ledger(LedgerRecord(GENESIS, 0, bytes(NONCE_BYTES), 0, digest(body), body))


def decode_genesis(value: bytes) -> Genesis:
    """The commands topic's first record; UndecodableError for any other."""
    if value[:2] != bytes((GENESIS, FORMAT)):
        message = "not a genesis record"
        raise UndecodableError(message)
    return decode_genesis_body(value[2:])


def decode_genesis_body(body: bytes) -> Genesis:
    """The body of a ledger's genesis record."""
    try:
        return _decode_genesis(body)
    except ValueError as error:  # msgspec.MsgspecError is one, the UnicodeDecodeError of a text another
        raise UndecodableError(str(error)) from error


# --- commands ---------------------------------------------------------------------------------------------------


class Batch(NamedTuple, Generic[C]):
    """One record of a commands topic. `number` counts the sender's batches: it finds its answers by it."""

    log_id: bytes
    role: Role
    sender: str
    number: int
    mac: bytes
    runs: list[Run[C]]

    def commands(self) -> Sequence[C]:
        """All commands in order; a command's place among them is its `index`. A single run comes as it is."""
        if len(self.runs) == 1:
            return self.runs[0].items
        return [command for run in self.runs for command in run.items]


class _RawBatch(NamedTuple):
    log_id: bytes
    role: int
    sender: str
    number: int
    mac: bytes
    runs: list[tuple[int, msgspec.Raw]]


_decode_batch = msgspec.msgpack.Decoder(_RawBatch).decode


class BatchCodec(Generic[C]):
    """Batches whose commands are one fold's, or the protocol's own."""

    def __init__(self, kinds: dict[int, type]) -> None:
        self._runs: RunCodec[C] = RunCodec({**kinds, **PROTOCOL_COMMANDS})

    def encode(self, log_id: bytes, role: Role, sender: str, number: int, commands: Sequence[C]) -> bytes:
        """A record's value. The caller keeps to BATCH_COMMANDS_MAX and BATCH_BYTES_MAX."""
        return _PREFIX + _encode((log_id, role, sender, number, b"", self._runs.pack(commands)))

    def fill(self, log_id: bytes, role: Role, sender: str, number: int, commands: Sequence[C]) -> tuple[bytes, int]:
        """A record's value with the first of the commands, and how many: what the limits allow, but at least one.

        Nearly always that is all of them, so nobody measures a command before: what is too large is encoded again.
        """
        count = min(len(commands), BATCH_COMMANDS_MAX)
        value = self.encode(log_id, role, sender, number, commands[:count])
        while len(value) > BATCH_BYTES_MAX and count > 1:
            count = max(1, count * BATCH_BYTES_MAX // len(value) - 1)
            value = self.encode(log_id, role, sender, number, commands[:count])
        return value, count

    def decode(self, value: bytes) -> Batch[C]:
        """UndecodableError for anything that is not a batch of this log's commands, or is over the limits."""
        if value[:2] != _PREFIX:
            message = "not a batch of this format"
            raise UndecodableError(message)
        if len(value) > BATCH_BYTES_MAX:
            message = f"{len(value)} bytes, more than {BATCH_BYTES_MAX}"
            raise UndecodableError(message)
        try:
            raw = _decode_batch(memoryview(value)[2:])
            runs = self._runs.unpack(raw.runs)
            role = Role(raw.role)
        except ValueError as error:  # msgspec.MsgspecError is one
            raise UndecodableError(str(error)) from error
        count = sum(len(run.items) for run in runs)
        if not 1 <= count <= BATCH_COMMANDS_MAX:
            message = f"{count} commands, not 1..{BATCH_COMMANDS_MAX}"
            raise UndecodableError(message)
        return Batch(raw.log_id, role, raw.sender, raw.number, raw.mac, runs)


# --- ledger -----------------------------------------------------------------------------------------------------


class LedgerRecord(NamedTuple):
    """A ledger record's header and its body as it is on the wire."""

    kind: int
    epoch: int
    nonce: bytes
    published: int
    digest: bytes
    body: bytes


class Claim(NamedTuple):
    """Body of a CLAIM: who, which incarnation of its process, which code, whether src + 1 was waiting, and why."""

    worker: str
    incarnation: str
    code: str
    waiting: bool
    reason: str


class Decided(NamedTuple):
    """Body of a DECIDED or RULING.

    `outcomes`: one code a command (| REPEATED), one in all for an undecodable record. `yielded_to` is set by an
    effective Yield ("" = nobody in particular), `pin` by a Pin. `details` are the fold's: what changed, and totals.
    `note` = (operator, reason) of a RULING. `sender`, `number`: whose batch it was ("" if undecodable).
    """

    src: int
    cmd_digest: bytes
    clk: int
    sender: str
    number: int
    outcomes: bytes
    yielded_to: str | None
    pin: str | None
    details: msgspec.Raw
    note: tuple[str, str] | None = None


_decode_claim = msgspec.msgpack.Decoder(Claim).decode
_decode_decided = msgspec.msgpack.Decoder(Decided).decode
EMPTY_DETAILS = msgspec.Raw(_encode(None))


def encode_body(body: Claim | Decided | Genesis) -> bytes:
    """The bytes that the chain's digest is over."""
    return _encode(body)


def encode_ledger(record: LedgerRecord) -> bytes:
    """A ledger record's value."""
    return _LEDGER.pack(record.kind, FORMAT, *record[1:5]) + record.body


def decode_ledger(value: bytes) -> LedgerRecord:
    """UndecodableError if there is no header of this format; the body is not looked at."""
    if len(value) < _LEDGER.size:
        message = f"{len(value)} bytes are no ledger record"
        raise UndecodableError(message)
    kind, version, epoch, nonce, published, chain = _LEDGER.unpack_from(value)
    if version != FORMAT or kind not in {GENESIS, CLAIM, DECIDED, RULING}:
        message = f"ledger record of kind {kind}, format {version}"
        raise UndecodableError(message)
    return LedgerRecord(kind, epoch, nonce, published, chain, value[_LEDGER.size :])


def decode_claim(body: bytes) -> Claim:
    """UndecodableError if it is none."""
    try:
        return _decode_claim(body)
    except ValueError as error:  # msgspec.MsgspecError is one, the UnicodeDecodeError of a text another
        raise UndecodableError(str(error)) from error


def decode_decided(body: bytes) -> Decided:
    """Body of a DECIDED or RULING, `details` still raw; UndecodableError if it is none."""
    try:
        return _decode_decided(body)
    except ValueError as error:  # msgspec.MsgspecError is one, the UnicodeDecodeError of a text another
        raise UndecodableError(str(error)) from error


# --- facts ------------------------------------------------------------------------------------------------------


class Fact(NamedTuple):
    """One record of an events topic: an accepted decision, at its ledger offset. Partition = the ledger's."""

    kind: int
    ledger_offset: int
    body: bytes


def encode_fact(kind: int, ledger_offset: int, body: bytes) -> bytes:
    """The body's bytes as they are in the ledger: publishing costs a copy, not an encoding."""
    return _FACT.pack(kind, FORMAT, ledger_offset) + body


def decode_fact(value: bytes) -> Fact:
    """UndecodableError if it is none; `decode_decided(fact.body)` has the rest."""
    if len(value) < _FACT.size or value[1] != FORMAT:
        message = "not a fact of this format"
        raise UndecodableError(message)
    kind, _, offset = _FACT.unpack_from(value)
    return Fact(kind, offset, value[_FACT.size :])
