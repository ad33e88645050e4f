"""A page of a list, newest first, by the provider's cursors."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

from adapters.stand_in.objects import Event, Intent, Refund
from adapters.stand_in.params import List
from adapters.stand_in.refusal import BAD_REQUEST, Refusal, missing

T = TypeVar("T", Intent, Refund, Event)


class Page(NamedTuple):
    items: list[Intent] | list[Refund] | list[Event]
    has_more: bool


def page(kind: str, items: Iterable[T], wish: List) -> Page | Refusal:
    """`items` newest first. An id that is not among them is refused, as one that names nothing."""
    rest = iter(items)
    if wish.ending_before:
        return _before(kind, rest, wish)
    if wish.starting_after and not _skip(rest, wish.starting_after):
        return missing(kind, wish.starting_after, "starting_after", BAD_REQUEST)
    found = list(islice(rest, wish.limit + 1))
    return Page(found[: wish.limit], len(found) > wish.limit)


def _skip(items: Iterator[T], name: str) -> bool:
    return any(item.id == name for item in items)


def _before(kind: str, items: Iterator[T], wish: List) -> Page | Refusal:
    seen: deque[T] = deque(maxlen=wish.limit + 1)
    for item in items:
        if item.id == wish.ending_before:
            return Page(list(seen)[-wish.limit :], len(seen) > wish.limit)
        seen.append(item)
    return missing(kind, wish.ending_before, "ending_before", BAD_REQUEST)
