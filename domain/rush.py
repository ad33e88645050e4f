"""Deciding a run of Reserves together: what domain/reserving.py says of each, at a fraction of the cost.

Only where nothing but price, limit and units is in question. What needs a look of its own (a known key, a wrong shape,
a late request, due holds that must be swept first) is left to `decide`. Pure, as that is.
"""

from collections.abc import Iterator, Sequence

from domain.columns import GrantedRun, RefusedRun, ReserveRun
from domain.outcomes import Outcome
from domain.pool import Pool
from domain.reserving import afford, barred, due_now
from domain.shapes import CARRIED_BYTES_MAX, PRICE_MAX, QUANTITY_MAX
from domain.state import Inventory

_GRANTED = int(Outcome.GRANTED)
_ALL_HELD = int(Outcome.ALL_HELD)
_SOLD_OUT = int(Outcome.SOLD_OUT)
_IS_GRANTED = bytes(code == _GRANTED for code in range(256))


def reserve_run(state: Inventory, run: ReserveRun) -> tuple[bytearray, list[GrantedRun | RefusedRun]]:
    """The outcomes of the rows, and what they change, in order; outcome 0 of a row says that `decide` must look at it.

    Such a row has an answer already, or gets one by a row before it: whenever it is decided, it changes nothing.
    """
    outcomes = bytearray(len(run))
    indexes: Sequence[int] = range(len(run))
    if not _plain(state, run):
        return outcomes, []
    known = _known(state, run.holds)
    if known:
        indexes = [index for index in indexes if index not in known]
        if not indexes:
            return outcomes, []
        run = run.only(indexes)
    told = _judge(state, run)
    if known:
        for index, outcome in zip(indexes, told, strict=True):
            outcomes[index] = outcome
    else:
        outcomes = told
    return outcomes, _changes(state, run, indexes, told)


def _plain(state: Inventory, run: ReserveRun) -> bool:
    """Whether the run is well-formed, in time, about pools that exist without due holds, and can be remembered."""
    quantities = run.quantities
    return (
        state.clk <= run.base_ms + min(run.after_ms)
        and run.base_ms + max(run.after_ms) <= state.clk + state.rules.ahead_max_ms
        and min(quantities) > 0
        and max(quantities) <= QUANTITY_MAX
        and max(map(len, run.carried), default=0) <= CARRIED_BYTES_MAX
        and all(_sound(state, *offer) for offer in run.offers)
        and state.refusals.count + len(run) <= state.rules.refusals_max
    )


def _sound(state: Inventory, sku: str, max_price: int) -> bool:
    pool = state.pools.get(sku)
    return pool is not None and -1 <= max_price <= PRICE_MAX and not due_now(pool, state.clk)


def _known(state: Inventory, holds: Sequence[bytes]) -> set[int]:
    """Places of the keys that have an answer, or will have one by a row before them."""
    known = {*state.rows.known(holds), *state.refusals.known(holds)}
    if len(set(holds)) < len(holds):
        seen: set[bytes] = set()
        for place, hold in enumerate(holds):
            if hold in seen:
                known.add(place)
            seen.add(hold)
    return known


class _Shelf:
    """A pool's units and limit, while a run is decided."""

    __slots__ = ("available", "held", "key", "limit")

    def __init__(self, pool: Pool) -> None:
        self.key = pool.key
        self.limit = pool.policy.limit
        self.available = pool.available
        self.held = pool.held

    def same(self, counts: Sequence[int], quantities: Sequence[int]) -> int:
        """What all requests, by as many customers, come to by `afford`; 0 if not all to the same, or who knows."""
        most = max(quantities)
        if max(counts) + most > self.limit:
            return 0
        if sum(quantities) <= self.available:
            return _GRANTED
        if self.available or most > self.held:
            return 0 if self.available or self.held else _SOLD_OUT
        return _ALL_HELD


def _judge(state: Inventory, run: ReserveRun) -> bytearray:
    """The outcomes of new questions, one after another, each on what the ones before it have left."""
    pools = state.pools
    shelves = {sku: _Shelf(pools[sku]) for sku, _ in run.offers}
    offers = [(shelves[sku], barred(pools[sku], max_price)) for sku, max_price in run.offers]
    if run.numbers:
        asked = [offers[number] for number in run.numbers]
        keys = [customer + shelf.key for customer, (shelf, _) in zip(run.customers, asked, strict=True)]
    else:
        asked = offers * len(run)
        key = offers[0][0].key
        keys = [customer + key for customer in run.customers]
    counts = state.counts.units(keys)
    if not run.numbers and len(set(keys)) == len(keys):
        outcome = offers[0][1] or offers[0][0].same(counts, run.quantities)
        if outcome:
            return bytearray((outcome,)) * len(keys)
    return _judge_each(keys, counts, run.quantities, asked)


def _judge_each(
    keys: Sequence[bytes], counts: Sequence[int], quantities: Sequence[int], asked: Sequence[tuple[_Shelf, int]]
) -> bytearray:
    outcomes = bytearray()
    taken: dict[bytes, int] = {}
    for key, counted, quantity, (shelf, bar) in zip(keys, counts, quantities, asked, strict=True):
        if bar:
            outcomes.append(bar)
            continue
        mine = taken.get(key, 0) + quantity
        outcome = afford(counted + mine, shelf.limit, quantity, shelf.available, shelf.held)
        if outcome == _GRANTED:
            taken[key] = mine
            shelf.available -= quantity
            shelf.held += quantity
        outcomes.append(outcome)
    return outcomes


def _changes(
    state: Inventory, run: ReserveRun, indexes: Sequence[int], outcomes: bytearray
) -> list[GrantedRun | RefusedRun]:
    return [
        _grants(state, run, indexes, slice(at, end))
        if is_granted
        else RefusedRun(indexes[at:end], run.holds[at:end], run.fingerprints[at:end], bytes(outcomes[at:end]))
        for at, end, is_granted in _stretches(outcomes)
    ]


def _stretches(outcomes: bytearray) -> Iterator[tuple[int, int, bool]]:
    """[at, end) of neighbours that are granted, or are not."""
    marks = outcomes.translate(_IS_GRANTED)
    at = 0
    while at < len(marks):
        end = marks.find(not marks[at], at)
        end = len(marks) if end < 0 else end
        yield at, end, bool(marks[at])
        at = end


def _grants(state: Inventory, run: ReserveRun, indexes: Sequence[int], part: slice) -> GrantedRun:
    skus = [run.offers[number][0] for number in run.numbers[part]] or [run.offers[0][0]]
    numbers = {sku: number for number, sku in enumerate(dict.fromkeys(skus))}
    carried = run.carried[part]
    return GrantedRun(
        indexes[part],
        run.holds[part],
        run.customers[part],
        run.fingerprints[part],
        run.quantities[part],
        [_terms(state, sku) for sku in numbers],
        [numbers[sku] for sku in skus] if len(numbers) > 1 else [],
        carried if any(carried) else [],
    )


def _terms(state: Inventory, sku: str) -> tuple[str, int, str, int]:
    price, currency, _, hold_ms, _ = state.pools[sku].policy
    return sku, price, currency, state.clk + hold_ms
