"""Runs of what hot batches consist of, in columns: requests of one kind, and the grants and refusals they come to.

Each class is a sequence of its tuples, which are made when somebody asks for them; what works on a whole run takes the
columns. What is the same in many rows is said once, in `offers` or `terms`: `numbers` says which of them a row is of,
empty: all are of the first. `carried` is empty if no row carries anything.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import ClassVar, Generic, TypeVar, overload

from domain.stock import Granted, Refused, Reserve

T = TypeVar("T")
Offer = tuple[str, int]
"""SKU and max_price of a Reserve."""
Terms = tuple[str, int, str, int]
"""SKU, unit price, currency and deadline of a grant."""


class Columns(Sequence[T], Generic[T]):
    """As many rows as `holds`. A single row by its place costs as much as all of them."""

    __slots__ = ("holds",)

    row: ClassVar[type]
    holds: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.holds)

    @overload
    def __getitem__(self, at: int) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...

    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        return list(self)[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as a list


class ReserveRun(Columns[Reserve]):
    """Requests. `after_ms`: what each row's not_after_ms is more than `base_ms`."""

    __slots__ = ("after_ms", "base_ms", "carried", "customers", "fingerprints", "numbers", "offers", "quantities")
    row = Reserve

    def __init__(
        self,
        holds: Sequence[bytes],
        customers: Sequence[bytes],
        fingerprints: Sequence[bytes],
        quantities: Sequence[int],
        moments: tuple[int, Sequence[int]],
        offers: Sequence[Offer],
        numbers: Sequence[int],
        carried: Sequence[bytes],
    ) -> None:
        self.holds = holds
        self.customers = customers
        self.fingerprints = fingerprints
        self.quantities = quantities
        self.base_ms, self.after_ms = moments
        self.offers = offers
        self.numbers = numbers
        self.carried = carried

    def only(self, places: Sequence[int]) -> "ReserveRun":
        """These rows, one at least."""

        def picked(column: Sequence[T]) -> list[T]:
            return [column[place] for place in places] if column else []

        return ReserveRun(
            picked(self.holds),
            picked(self.customers),
            picked(self.fingerprints),
            picked(self.quantities),
            (self.base_ms, picked(self.after_ms)),
            self.offers,
            picked(self.numbers),
            picked(self.carried),
        )

    def __iter__(self) -> Iterator[Reserve]:
        offers = [self.offers[number] for number in self.numbers] or repeat(self.offers[0])
        return (
            _new(Reserve, (hold, sku, customer, quantity, not_after_ms, fingerprint, max_price, carried))
            for hold, (sku, max_price), customer, quantity, not_after_ms, fingerprint, carried in zip(
                self.holds,
                offers,
                self.customers,
                self.quantities,
                map(self.base_ms.__add__, self.after_ms),
                self.fingerprints,
                self.carried or repeat(b""),
                strict=False,
            )
        )


class GrantedRun(Columns[Granted]):
    """Grants. `indexes`: their commands' places in the batch."""

    __slots__ = ("carried", "customers", "fingerprints", "indexes", "numbers", "quantities", "terms")
    row = Granted

    def __init__(
        self,
        indexes: Sequence[int],
        holds: Sequence[bytes],
        customers: Sequence[bytes],
        fingerprints: Sequence[bytes],
        quantities: Sequence[int],
        terms: Sequence[Terms],
        numbers: Sequence[int],
        carried: Sequence[bytes],
    ) -> None:
        self.indexes = indexes
        self.holds = holds
        self.customers = customers
        self.fingerprints = fingerprints
        self.quantities = quantities
        self.terms = terms
        self.numbers = numbers
        self.carried = carried

    def __iter__(self) -> Iterator[Granted]:
        terms = [self.terms[number] for number in self.numbers] or repeat(self.terms[0])
        return (
            _new(Granted, (index, hold, sku, customer, quantity, price, currency, deadline_ms, fingerprint, carried))
            for index, hold, (sku, price, currency, deadline_ms), customer, quantity, fingerprint, carried in zip(
                self.indexes,
                self.holds,
                terms,
                self.customers,
                self.quantities,
                self.fingerprints,
                self.carried or repeat(b""),
                strict=False,
            )
        )


class RefusedRun(Columns[Refused]):
    """Refusals. `outcomes`: one code a row."""

    __slots__ = ("fingerprints", "indexes", "outcomes")
    row = Refused

    def __init__(
        self, indexes: Sequence[int], holds: Sequence[bytes], fingerprints: Sequence[bytes], outcomes: bytes
    ) -> None:
        self.indexes = indexes
        self.holds = holds
        self.fingerprints = fingerprints
        self.outcomes = outcomes

    def __iter__(self) -> Iterator[Refused]:
        rows = zip(self.indexes, self.holds, self.outcomes, self.fingerprints, strict=True)
        return map(partial(_new, Refused), rows)


_new = tuple.__new__
"""A NamedTuple's own constructor is a Python function and takes twice the time."""
