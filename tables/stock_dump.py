"""The stock fold's state in shards, and back."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from domain.pool import Adjustment, Phase, Policy, Pool, Terms
from domain.rules import Rules
from domain.state import Inventory
from streams.fold import Shard
from tables.gather import lists, portions
from tables.refusals import RefusalTable
from tables.reservations import CountTable, RowTable

_GENERATION_BYTES = 8
_DEADLINE_BYTES = 100
"""What a bucket costs besides its holds, in bytes that take as long."""


class _Core(NamedTuple):
    """`sold_rows`, `sold_customers`, `refusals`: how much room the tables will need."""

    src: int
    clk: int
    rules_version: int
    sold_rows: int
    sold_customers: int
    refusals: int
    tombstones: int


class _PoolRow(NamedTuple):
    sku: str
    policy: Policy
    terms: int
    version: int
    phase: int
    touched_at: int
    counters: tuple[int, int, int, int, int, int]
    """As Totals without the SKU."""


class _TermsRow(NamedTuple):
    sku: str
    price: int
    currency: str
    hold_ms: int


_encode = msgspec.msgpack.Encoder().encode
_decode_core = msgspec.msgpack.Decoder(_Core).decode
_decode_pools = msgspec.msgpack.Decoder(list[_PoolRow]).decode
_decode_terms = msgspec.msgpack.Decoder(list[_TermsRow]).decode
_decode_adjustments = msgspec.msgpack.Decoder(list[tuple[str, str, Adjustment]]).decode
_decode_deadlines = msgspec.msgpack.Decoder(list[tuple[str, int, int, bytes]]).decode
_decode_returns = msgspec.msgpack.Decoder(list[tuple[bytes, dict[int, tuple[int, bool]]]]).decode
_decode_endings = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode
_decode_tombstones = msgspec.msgpack.Decoder(list[tuple[bytes, int]]).decode


def new_inventory(rules: Mapping[int, Rules]) -> Inventory:
    """The state before the first record, on compact tables."""
    return Inventory(RowTable(), CountTable(), RefusalTable(), rules)


def dump(state: Inventory) -> Iterator[Shard]:
    """The whole state between two records; nothing may change it until the last shard is out."""
    rows, counts, refusals = _tables(state)
    room = len(rows.sold), len(counts.sold), refusals.count
    core = _Core(state.src, state.clk, state.rules_version, *room, state.tombstone_count)
    yield Shard("core", _encode(core))
    pools = list(state.pools.values())
    yield from lists("pools", (_pool_row(pool) for pool in pools))
    terms = (_TermsRow(one.pool.sku, one.price, one.currency, one.hold_ms) for one in state.terms)
    yield from lists("terms", terms)
    adjusted = ((pool.sku, *item) for pool in pools for item in pool.adjustments.items())
    yield from lists("adjustments", adjusted)
    yield from (Shard("rows", records) for records in rows.dump())
    yield from (Shard("sold", records) for records in rows.sold.dump())
    yield from _deadlines(pools)
    yield from (Shard("customers", records) for records in counts.dump_held())
    yield from (Shard("customers-sold", records) for records in counts.sold.dump())
    for number, records in refusals.dump():
        yield Shard("refusals", number.to_bytes(_GENERATION_BYTES, "big") + records)
    yield from lists("endings", state.endings)
    yield from lists("returns", state.returns.items())
    yield from lists("tombstones", state.tombstones.items())


def load(state: Inventory, shard: Shard) -> None:
    """One shard into a state that was new before the first; ValueError or KeyError if it is none of `dump`'s."""
    _LOAD[shard.name](state, shard.data)


def _tables(state: Inventory) -> tuple[RowTable, CountTable, RefusalTable]:
    rows, counts, refusals = state.rows, state.counts, state.refusals
    if isinstance(rows, RowTable) and isinstance(counts, CountTable) and isinstance(refusals, RefusalTable):
        return rows, counts, refusals
    message = f"no compact tables: {type(rows)}, {type(counts)}, {type(refusals)}"
    raise TypeError(message)


def _deadlines(pools: list[Pool]) -> Iterator[Shard]:
    """Lists by their bytes: a bucket has one hold or a hundred thousand."""
    entries = ((pool.sku, *entry) for pool in pools for entry in pool.deadlines.entries())
    for some in portions(entries, lambda entry: _DEADLINE_BYTES + len(entry[-1])):
        yield Shard("deadlines", _encode(some))


def _pool_row(pool: Pool) -> _PoolRow:
    _, *counters = pool.totals()
    return _PoolRow(pool.sku, pool.policy, pool.terms, pool.version, pool.phase, pool.touched_at, tuple(counters))  # type: ignore[arg-type]


def _load_core(state: Inventory, data: bytes) -> None:
    core = _decode_core(data)
    rows, counts, refusals = _tables(state)
    state.src, state.clk, state.rules_version, state.tombstone_count = (
        core.src,
        core.clk,
        core.rules_version,
        core.tombstones,
    )
    state.rules = state.rules_by_version[core.rules_version]
    rows.sold.reserve(core.sold_rows)
    counts.sold.reserve(core.sold_customers)
    refusals.reserve(core.refusals)


def _load_pools(state: Inventory, data: bytes) -> None:
    for sku, policy, terms, version, phase, touched_at, counters in _decode_pools(data):
        pool = state.pools[sku] = Pool(len(state.pools), sku, policy, terms)
        pool.version, pool.phase, pool.touched_at = version, Phase(phase), touched_at
        pool.received, pool.available, pool.held, pool.sold, pool.written_off, pool.sequence = counters
        pool.check()


def _load_terms(state: Inventory, data: bytes) -> None:
    pools = state.pools
    state.terms += (Terms(pools[row.sku], row.price, row.currency, row.hold_ms) for row in _decode_terms(data))


def _load_adjustments(state: Inventory, data: bytes) -> None:
    for sku, reference, adjustment in _decode_adjustments(data):
        state.pools[sku].adjustments[reference] = adjustment


def _load_deadlines(state: Inventory, data: bytes) -> None:
    for sku, deadline_ms, live, holds in _decode_deadlines(data):
        state.deadlines.restore(state.pools[sku], deadline_ms, live, holds)


def _load_refusals(state: Inventory, data: bytes) -> None:
    number = int.from_bytes(data[:_GENERATION_BYTES], "big")
    _tables(state)[2].load(number, data[_GENERATION_BYTES:])


def _load_endings(state: Inventory, data: bytes) -> None:
    for ended_ms, holds in _decode_endings(data):
        state.endings.add(ended_ms, holds)


_LOAD: dict[str, Callable[[Inventory, bytes], None]] = {
    "core": _load_core,
    "pools": _load_pools,
    "terms": _load_terms,
    "adjustments": _load_adjustments,
    "rows": lambda state, data: _tables(state)[0].load(data),
    "sold": lambda state, data: _tables(state)[0].sold.load(data),
    "deadlines": _load_deadlines,
    "customers": lambda state, data: _tables(state)[1].load_held(data),
    "customers-sold": lambda state, data: _tables(state)[1].sold.load(data),
    "refusals": _load_refusals,
    "endings": _load_endings,
    "returns": lambda state, data: state.returns.update(_decode_returns(data)),
    "tombstones": lambda state, data: state.tombstones.update(_decode_tombstones(data)),
}
