"""The order fold's state in shards, and back. When which order wants to be looked at follows from its row."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from domain.order_row import Movement, Order, Stub
from domain.order_state import Orders
from streams.fold import Shard
from tables.gather import lists
from tables.order_rows import OrderTable


class _Core(NamedTuple):
    """`stubs`: how much room their table will need."""

    src: int
    clk: int
    home: int
    rules_version: int
    stubs: int


_encode = msgspec.msgpack.Encoder().encode
_decode_core = msgspec.msgpack.Decoder(_Core).decode
_decode_orders = msgspec.msgpack.Decoder(list[Order]).decode
_decode_early = msgspec.msgpack.Decoder(list[Stub]).decode
_decode_queue = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode
_decode_counts = msgspec.msgpack.Decoder(list[tuple[bytes, int]]).decode
_decode_moves = msgspec.msgpack.Decoder(list[tuple[bytes, list[Movement]]]).decode


def dump(state: Orders) -> Iterator[Shard]:
    """The whole state between two records; nothing may change it until the last shard is out."""
    rows = _table(state)
    yield Shard("core", _encode(_Core(state.src, state.clk, state.home, state.rules_version, len(rows.stubs))))
    yield from (Shard("orders", orders) for orders in rows.dump())
    yield from (Shard("stubs", records) for records in rows.stubs.dump())
    yield from (Shard("early", stubs) for stubs in rows.dump_early())
    yield from lists("early-queue", state.early)
    yield from lists("early-count", state.early_count.items())
    yield from lists("moves", ((order, list(moves.values())) for order, moves in state.moves.items()))


def load(state: Orders, shard: Shard) -> None:
    """One shard into a state that was new before the first; ValueError or KeyError if it is none of `dump`'s."""
    _LOAD[shard.name](state, shard.data)


def _table(state: Orders) -> OrderTable:
    if isinstance(state.rows, OrderTable):
        return state.rows
    message = f"no compact table: {type(state.rows)}"
    raise TypeError(message)


def _load_core(state: Orders, data: bytes) -> None:
    core = _decode_core(data)
    if core.home != state.home:
        message = f"orders of partition {core.home}, not {state.home}"
        raise ValueError(message)
    state.src, state.clk, state.rules_version = core.src, core.clk, core.rules_version
    _table(state).stubs.reserve(core.stubs)


def _load_orders(state: Orders, data: bytes) -> None:
    for row in _decode_orders(data):
        state.rows.put(row)
        state.deadlines.add(row)
        state.resumes.add(row)


def _load_early(state: Orders, data: bytes) -> None:
    for stub in _decode_early(data):
        state.rows.bury(stub)


def _load_moves(state: Orders, data: bytes) -> None:
    for order, moves in _decode_moves(data):
        state.moves[order] = {move.key: move for move in moves}


_LOAD: dict[str, Callable[[Orders, bytes], None]] = {
    "core": _load_core,
    "orders": _load_orders,
    "stubs": lambda state, data: _table(state).stubs.load(data),
    "early": _load_early,
    "early-queue": lambda state, data: state.early.extend(_decode_queue(data)),
    "early-count": lambda state, data: state.early_count.update(_decode_counts(data)),
    "moves": _load_moves,
}
