"""The stock log's codec: its commands, the details of its decisions, the hints about pools."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from domain.columns import Columns
from domain.stock import CHANGES, COMMANDS, Change, Command, Repeat, Totals
from streams.protocol import Pin, Tick, Yield
from streams.records import EMPTY_DETAILS, BatchCodec, UndecodableError
from streams.runs import Run, RunCodec

StockCommand = Command | Tick | Yield | Pin

BATCHES: BatchCodec[StockCommand] = BatchCodec(COMMANDS)
_CHANGES: RunCodec[Change] = RunCodec(CHANGES)
_encode = msgspec.msgpack.Encoder().encode


class StockDetails(NamedTuple):
    """`Decided.details` of the stock ledger: enough to fold without decide, and to derive every fact."""

    repeats: list[Repeat]
    changes: list[Run[Change]]
    totals: list[Totals]


class _RawDetails(NamedTuple):
    repeats: list[Repeat]
    changes: list[tuple[int, msgspec.Raw]]
    totals: list[Totals]


class _OnlyTotals(NamedTuple):
    repeats: msgspec.Raw
    changes: msgspec.Raw
    totals: list[Totals]


class PoolHint(NamedTuple):
    """A record of stock.pools (key = SKU): what a starting view should believe; the highest ledger offset counts.

    `phase`: 0 not yet open, 1 open, 2 closed.
    """

    sku: str
    ledger_offset: int
    as_of_ms: int
    version: int
    phase: int
    price: int
    currency: str
    limit: int
    hold_ms: int
    customer_key: str
    received: int
    available: int
    held: int
    sold: int
    written_off: int
    sequence: int


_decode_details = msgspec.msgpack.Decoder(_RawDetails | None).decode
_decode_totals = msgspec.msgpack.Decoder(_OnlyTotals | None).decode
_decode_hint = msgspec.msgpack.Decoder(PoolHint).decode
NOTHING = StockDetails([], [], [])


def encode_details(
    repeats: list[Repeat], changes: Sequence[Change | Columns[Change]], totals: list[Totals]
) -> msgspec.Raw:
    """For `Decided.details`; EMPTY_DETAILS when nothing changed, so that an idle tick has no facts."""
    if not (repeats or changes or totals):
        return EMPTY_DETAILS
    return msgspec.Raw(_encode((repeats, _CHANGES.pack(changes), totals)))


def decode_details(raw: msgspec.Raw, kinds: frozenset[int] | None = None) -> StockDetails:
    """UndecodableError if it is not the stock ledger's. With `kinds`, only changes of these (others stay bytes)."""
    try:
        details = _decode_details(raw)
        if details is None:
            return NOTHING
        return StockDetails(details.repeats, _CHANGES.unpack(details.changes, kinds), details.totals)
    except ValueError as error:
        raise UndecodableError(str(error)) from error


def decode_totals(raw: msgspec.Raw) -> list[Totals]:
    """The totals of details alone, without decoding what changed; UndecodableError as `decode_details`."""
    try:
        details = _decode_totals(raw)
    except ValueError as error:  # msgspec.MsgspecError is one, the UnicodeDecodeError of a text another
        raise UndecodableError(str(error)) from error
    return [] if details is None else details.totals


def encode_hint(hint: PoolHint) -> bytes:
    """Value of a stock.pools record."""
    return _encode(hint)


def decode_hint(value: bytes) -> PoolHint:
    """UndecodableError if it is none."""
    try:
        return _decode_hint(value)
    except ValueError as error:  # msgspec.MsgspecError is one, the UnicodeDecodeError of a text another
        raise UndecodableError(str(error)) from error
