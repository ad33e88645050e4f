"""Orders against everything else: stock's holds, the provider's book of charges, the system of record.

    confirmed  <=>  every line that is not closed is sold, and the money is captured once
    captured    =>  confirmed or beyond, or on its way back, or refunded in full
    a hold or a sale  =>  a living order (or one that is about to be born)
    SQL             says what the ledger says

Orders that changed while the audit was taking its ends are left out where only later records could tell.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.ids import ORDER_ID_BYTES, order_text
from ops.audit.order_row import RESTING, OrderRow
from ops.audit.pools import Hold, State
from ops.audit.violations import Findings, Kind

BUNDLE_LINE = 1
"""Lines of placed orders count from here; line 0 may be a hold whose order is not born yet."""


class Money(NamedTuple):
    """One intent of the provider's book, amounts in minor units. `environment`: the log whose orders it is for."""

    environment: str
    intent: str
    order: str
    attempt: int
    captured: int
    refunded: int
    authorised: int
    voided: int
    status: str


class Stored(NamedTuple):
    """What the system of record has of one order."""

    order: str
    status: str
    version: int
    amount: int
    captured: int
    refunded: int
    lines: tuple[tuple[int, str, int, str], ...]
    """(line, SKU, quantity, letter), by line."""


class Records(NamedTuple):
    """The system of record. `copied_to`: by partition, the order ledger's offset up to which it has everything."""

    orders: Mapping[str, Stored]
    copied_to: Mapping[int, int]


def against_stock(
    rows: Mapping[bytes, OrderRow],
    holds: Mapping[bytes, Hold],
    of_home: Mapping[bytes, Hold],
    findings: Findings,
    ended_before: int,
) -> None:
    """The orders of one home partition: `rows` against all holds, and the holds `of_home` against the rows.

    `ended_before`: the order ledger's end before stock's was taken. An order that changed since is not asked for its
    holds; a hold is asked for its order in any case.
    """
    for order, row in rows.items():
        if row.changed_at < ended_before:
            _lines_hold(order, row, holds, findings)
    for hold_id, hold in of_home.items():
        if hold.state in {State.HELD, State.SOLD}:
            _hold_lives(hold_id, hold, rows.get(hold_id[:ORDER_ID_BYTES]), findings)


def _lines_hold(order: bytes, row: OrderRow, holds: Mapping[bytes, Hold], findings: Findings) -> None:
    for (line, sku, quantity), letter in zip(row.lines, row.letters, strict=True):
        if letter not in "su":
            continue
        hold = holds.get(order + bytes((line,)))
        wanted = {State.SOLD} if letter == "s" else {State.RETURNED, State.RELEASED}
        if hold is None and letter == "u":
            continue  # returned rows leave after a while
        if hold is None or hold.state not in wanted:
            state = hold.state.name if hold else "no hold"
            findings.add_once(Kind.UNSOLD, f"order {order_text(order)}: line {line} is {letter}, stock says {state}")
        elif hold.pool is not None and (hold.pool.sku, hold.quantity) != (sku, quantity):
            findings.add_once(Kind.UNSOLD, f"order {order_text(order)}: line {line} is another sale than stock's")


def _hold_lives(hold_id: bytes, hold: Hold, row: OrderRow | None, findings: Findings) -> None:
    order, line = hold_id[:ORDER_ID_BYTES], hold_id[ORDER_ID_BYTES]
    if row is None:
        if hold.state is State.SOLD or line >= BUNDLE_LINE:
            findings.add_once(Kind.STRAY_HOLD, f"{hold.state.name} for order {order_text(order)}, which is none")
        return
    letter = next((letter for known, letter in zip(row.lines, row.letters, strict=True) if known[0] == line), "")
    kept = row.phase == "refunded" and letter == "s"  # refunded without goods: the sale stands
    if (row.is_final and not kept) or not letter or letter in "xu":
        what = f"order {order_text(order)}, which is {row.phase}, its line {letter or 'none'}"
        findings.add_once(Kind.STRAY_HOLD, f"{hold.state.name} for {what}")


def against_book(rows: Mapping[bytes, OrderRow], book: Iterable[Money], findings: Findings) -> None:
    """All orders against the intents of this log's environment, which were read after the ledger."""
    by_order: dict[str, list[Money]] = {}
    for money in book:
        by_order.setdefault(money.order, []).append(money)
    for order, row in rows.items():
        _paid(order_text(order), row, by_order.pop(order_text(order), []), findings)
    for order_id, left in by_order.items():
        if any(money.captured > money.refunded for money in left):
            findings.add_once(Kind.STRAY_MONEY, f"money was captured for {order_id}, which is no order")


def _paid(order: str, row: OrderRow, intents: list[Money], findings: Findings) -> None:
    captured = [money for money in intents if money.captured]
    if len(captured) > 1:
        findings.add_once(Kind.DOUBLE_CHARGE, f"order {order} was charged by {[money.intent for money in captured]}")
        return
    taken = sum(money.captured for money in captured)
    back = sum(money.refunded for money in captured)
    if row.captured and (taken != row.captured or back < row.refunded):
        told = f"captured {row.captured}, refunded {row.refunded}"
        findings.add_once(Kind.UNPAID, f"order {order} {told}; the book says {taken}, {back}")
    if not row.is_settled:
        return
    if row.phase in RESTING and row.amount and taken != row.amount:
        findings.add_once(Kind.UNPAID, f"order {order} is {row.phase} for {row.amount}, the book captured {taken}")
    if row.is_final and taken != back:
        findings.add_once(Kind.STRAY_MONEY, f"order {order} is {row.phase}, captured {taken}, refunded {back}")
    if row.is_final and any(money.status == "requires_capture" for money in intents):
        findings.add_once(Kind.STRAY_MONEY, f"order {order} is {row.phase}, and money is still authorised for it")


def against_sql(
    rows: Mapping[bytes, OrderRow], stored: Mapping[str, Stored], findings: Findings, copied_to: int
) -> None:
    """The orders of one partition against their rows in SQL.

    SQL has the ledger up to offset `copied_to`, of which it may have a part only.
    """
    for order, row in rows.items():
        text = order_text(order)
        there = stored.get(text)
        version = there.version if there else 0
        if version < row.version and row.changed_at < copied_to:
            findings.add_once(Kind.SQL, f"order {text} has version {version} in SQL, {row.version} in the ledger")
        elif there is not None and version == row.version:
            _same(text, row, there, findings)


def _same(order: str, row: OrderRow, there: Stored, findings: Findings) -> None:
    lines = tuple((*line, letter) for line, letter in zip(row.lines, row.letters, strict=True))
    mine = (row.public, row.amount, row.captured, row.refunded, lines)
    theirs = (there.status, there.amount, there.captured, there.refunded, there.lines)
    for name, here, is_there in zip(("status", "amount", "captured", "refunded", "lines"), mine, theirs, strict=True):
        if here != is_there:
            findings.add_once(Kind.SQL, f"order {order}: {name} is {is_there} in SQL, {here} in the ledger")
