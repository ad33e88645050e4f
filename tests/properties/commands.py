"""A few holds, customers and SKUs with short names, and commands over them."""

from domain.ids import hold_id
from domain.stock import Adjust, Line, Open, Reserve, ReserveAll, SetPolicy


def order(name: str) -> bytes:
    return name.encode().ljust(16, b".")


def hold(name: str, line: int = 0) -> bytes:
    return hold_id(order(name), line)


def customer(name: str) -> bytes:
    return name.encode().ljust(8, b".")


def fingerprint(name: str) -> bytes:
    return name.encode().ljust(8, b".")


def reserve(
    name: str, who: str, sku: str, quantity: int = 1, *, until: int, content: str = "f", max_price: int = -1
) -> Reserve:
    return Reserve(hold(name), sku, customer(who), quantity, until, fingerprint(content), max_price)


def reserve_all(
    name: str, who: str, *lines: tuple, until: int, content: str = "f", partial: bool = False, carried: bytes = b""
) -> ReserveAll:
    """`lines`: (sku, quantity), numbered from 0."""
    numbered = tuple(Line(number, *line) for number, line in enumerate(lines))
    return ReserveAll(order(name), customer(who), partial, until, fingerprint(content), numbered, carried)


def sale(sku: str, units: int, *, limit: int = 1, hold_ms: int = 1_000, price: int = 500) -> list:
    """A pool that is open: three commands of role OPS."""
    commands = [SetPolicy(sku, 0, price, "EUR", limit, hold_ms, "key"), Open(sku, 1)]
    return [*commands, Adjust(sku, units, "initial", "")] if units else commands
