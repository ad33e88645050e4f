"""Runs in columns on the wire (domain/columns.py): a tenth of the work of rows, and half of their bytes.

Keys stand one after another as bytes of a fixed width; what is the same in many rows is said once. Rows that do not
fit (a key of another width) are written as rows.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from domain.columns import Columns, GrantedRun, Offer, RefusedRun, ReserveRun, Terms
from domain.ids import CUSTOMER_BYTES, FINGERPRINT_BYTES, HOLD_ID_BYTES
from domain.stock import Granted, Refused, Reserve

_COLUMNS_MOST = 1024
"""Layouts of columns that are kept: batches have at most 500 commands, of three widths."""


class ColumnCodec(NamedTuple):
    """How one kind of rows is written in columns. `gather` gives None for rows that do not fit."""

    run: type[Columns[Any]]
    gather: Callable[[Sequence[Any]], Columns[Any] | None]
    wire: Callable[[Any], tuple[Any, ...]]
    read: Callable[[msgspec.Raw], Columns[Any]]
    """ValueError if it is none."""


class _Reserves(NamedTuple):
    holds: bytes
    customers: bytes
    fingerprints: bytes
    quantities: list[int]
    base_ms: int
    after_ms: list[int]
    offers: list[Offer]
    numbers: list[int]
    carried: list[bytes]


class _Grants(NamedTuple):
    indexes: list[int]
    holds: bytes
    customers: bytes
    fingerprints: bytes
    quantities: list[int]
    terms: list[Terms]
    numbers: list[int]
    carried: list[bytes]


class _Refusals(NamedTuple):
    indexes: list[int]
    holds: bytes
    fingerprints: bytes
    outcomes: bytes


_decode_reserves = msgspec.msgpack.Decoder(_Reserves).decode
_decode_grants = msgspec.msgpack.Decoder(_Grants).decode
_decode_refusals = msgspec.msgpack.Decoder(_Refusals).decode


# --- parts ------------------------------------------------------------------------------------------------------


@lru_cache(_COLUMNS_MOST)
def _layout(rows: int, width: int) -> Struct:
    return Struct(f"{width}s" * rows)


def _split(column: bytes, width: int, rows: int) -> tuple[bytes, ...]:
    """ValueError if there are not as many."""
    if len(column) != rows * width:
        message = f"{len(column)} bytes are not {rows} keys of {width}"
        raise ValueError(message)
    return _layout(rows, width).unpack(column)


def _fit(holds: Sequence[bytes], fingerprints: Sequence[bytes], customers: Sequence[bytes] | None = None) -> bool:
    """Whether the keys have their widths."""
    return (
        set(map(len, holds)) == {HOLD_ID_BYTES}
        and set(map(len, fingerprints)) == {FINGERPRINT_BYTES}
        and (customers is None or set(map(len, customers)) == {CUSTOMER_BYTES})
    )


def _said_once(*columns: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """What differs, in order of appearance, and which of it each row has; no numbers if all are the same."""
    if all(column.count(column[0]) == len(column) for column in columns):
        return [tuple(column[0] for column in columns)], []
    rows = list(zip(*columns, strict=True))
    number_of = {row: number for number, row in enumerate(dict.fromkeys(rows))}
    return list(number_of), [number_of[row] for row in rows]


def _check(rows: int, *columns: Sequence[Any]) -> None:
    """ValueError if there are no rows, or not as many in each column."""
    if not rows or any(len(column) != rows for column in columns):
        message = f"columns of unlike lengths, or none, in a run of {rows} rows"
        raise ValueError(message)


def _check_shared(rows: int, numbers: list[int], shared: Sequence[Any], carried: list[bytes]) -> None:
    """ValueError if a row names nothing, or some rows carry nothing."""
    if not shared or (numbers and not 0 <= min(numbers) <= max(numbers) < len(shared)):
        message = f"numbers in a run that do not name one of {len(shared)}"
        raise ValueError(message)
    _check(rows, *(column for column in (numbers, carried) if column))


# --- the three kinds --------------------------------------------------------------------------------------------


def _gather_reserves(rows: Sequence[Reserve]) -> ReserveRun | None:
    holds, skus, customers, quantities, not_after_ms, fingerprints, prices, carried = zip(*rows, strict=True)
    if not _fit(holds, fingerprints, customers):
        return None
    offers, numbers = _said_once(skus, prices)
    base_ms = min(not_after_ms)
    return ReserveRun(
        holds,
        customers,
        fingerprints,
        quantities,
        (base_ms, [moment_ms - base_ms for moment_ms in not_after_ms]),
        offers,
        numbers,
        carried if any(carried) else [],
    )


def _wire_reserves(run: ReserveRun) -> _Reserves:
    return _Reserves(
        b"".join(run.holds),
        b"".join(run.customers),
        b"".join(run.fingerprints),
        run.quantities,  # type: ignore[arg-type]  # a tuple is written as a list is
        run.base_ms,
        run.after_ms,  # type: ignore[arg-type]
        run.offers,  # type: ignore[arg-type]
        run.numbers,  # type: ignore[arg-type]
        run.carried,  # type: ignore[arg-type]
    )


def _read_reserves(raw: msgspec.Raw) -> ReserveRun:
    holds, customers, fingerprints, quantities, base_ms, after_ms, offers, numbers, carried = _decode_reserves(raw)
    rows = len(quantities)
    _check(rows, after_ms)
    _check_shared(rows, numbers, offers, carried)
    return ReserveRun(
        _split(holds, HOLD_ID_BYTES, rows),
        _split(customers, CUSTOMER_BYTES, rows),
        _split(fingerprints, FINGERPRINT_BYTES, rows),
        quantities,
        (base_ms, after_ms),
        offers,
        numbers,
        carried,
    )


def _gather_grants(rows: Sequence[Granted]) -> GrantedRun | None:
    indexes, holds, skus, customers, quantities, prices, currencies, deadlines, fingerprints, carried = zip(
        *rows, strict=True
    )
    if not _fit(holds, fingerprints, customers):
        return None
    terms, numbers = _said_once(skus, prices, currencies, deadlines)
    return GrantedRun(
        indexes, holds, customers, fingerprints, quantities, terms, numbers, carried if any(carried) else []
    )


def _wire_grants(run: GrantedRun) -> _Grants:
    return _Grants(
        list(run.indexes),
        b"".join(run.holds),
        b"".join(run.customers),
        b"".join(run.fingerprints),
        run.quantities,  # type: ignore[arg-type]
        run.terms,  # type: ignore[arg-type]
        run.numbers,  # type: ignore[arg-type]
        run.carried,  # type: ignore[arg-type]
    )


def _read_grants(raw: msgspec.Raw) -> GrantedRun:
    indexes, holds, customers, fingerprints, quantities, terms, numbers, carried = _decode_grants(raw)
    rows = len(indexes)
    _check(rows, quantities)
    _check_shared(rows, numbers, terms, carried)
    return GrantedRun(
        indexes,
        _split(holds, HOLD_ID_BYTES, rows),
        _split(customers, CUSTOMER_BYTES, rows),
        _split(fingerprints, FINGERPRINT_BYTES, rows),
        quantities,
        terms,
        numbers,
        carried,
    )


def _gather_refusals(rows: Sequence[Refused]) -> RefusedRun | None:
    indexes, holds, outcomes, fingerprints = zip(*rows, strict=True)
    if not (_fit(holds, fingerprints) and _are_codes(outcomes)):
        return None
    return RefusedRun(indexes, holds, fingerprints, bytes(outcomes))


def _are_codes(outcomes: Sequence[int]) -> bool:
    return min(outcomes) >= 0 and max(outcomes) <= 255  # noqa: PLR2004 - one byte each


def _wire_refusals(run: RefusedRun) -> _Refusals:
    return _Refusals(
        list(run.indexes),
        b"".join(run.holds),
        b"".join(run.fingerprints),
        run.outcomes,
    )


def _read_refusals(raw: msgspec.Raw) -> RefusedRun:
    indexes, holds, fingerprints, outcomes = _decode_refusals(raw)
    rows = len(indexes)
    _check(rows, outcomes)
    return RefusedRun(
        indexes, _split(holds, HOLD_ID_BYTES, rows), _split(fingerprints, FINGERPRINT_BYTES, rows), outcomes
    )


COLUMNS: tuple[ColumnCodec, ...] = (
    ColumnCodec(ReserveRun, _gather_reserves, _wire_reserves, _read_reserves),
    ColumnCodec(GrantedRun, _gather_grants, _wire_grants, _read_grants),
    ColumnCodec(RefusedRun, _gather_refusals, _wire_refusals, _read_refusals),
)
