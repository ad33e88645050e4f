"""A plain model of orders, fed with changes alone: every step must be an edge that docs and order table know."""

from dataclasses import dataclass, field
from typing import Any

from domain.order_changes import Begun, Buried, Noticed, Resumed, Stepped
from domain.orders import LineState, Pay, Phase, PlacedLine, Public

P, M = Phase, Pay
FINAL = frozenset({P.REJECTED, P.EXPIRED, P.CANCELLED, P.REFUNDED})
RESTING = frozenset({P.CONFIRMED, P.SHIPPED, P.DELIVERED})
GOOD = RESTING | {P.PAID, P.RETURNING}
"""Of these the goods are the customer's, and so is the bill."""

PHASES: dict[Phase | None, set[Phase]] = {
    None: {P.CREATED, P.PENDING},
    P.EARLY: {P.UNDO, P.CANCELLED},
    P.CREATED: {P.CREATED, P.PENDING, P.UNDO, P.REJECTED, P.EXPIRED, P.CANCELLED},
    P.PENDING: {P.PENDING, P.PAID, P.UNDO},
    P.PAID: {P.CONFIRMED, P.UNDO},
    P.CONFIRMED: {P.CONFIRMED, P.SHIPPED, P.UNDO, P.RETURNING},
    P.SHIPPED: {P.SHIPPED, P.DELIVERED, P.RETURNING},
    P.DELIVERED: {P.RETURNING},
    P.RETURNING: {P.RETURNING, P.SHIPPED, P.DELIVERED, P.REFUNDED},
    P.UNDO: {P.UNDO, P.REJECTED, P.EXPIRED, P.CANCELLED, P.REFUNDED},
}
PAYS: dict[Pay, set[Pay]] = {
    M.NONE: {M.NONE, M.AUTHORISING, M.CLOSED},
    M.AUTHORISING: {M.AUTHORISING, M.AUTHORISED, M.ABANDONING, M.VOIDING},
    M.ABANDONING: {M.ABANDONING, M.AUTHORISING, M.NONE, M.VOIDING, M.REFUNDING},
    M.AUTHORISED: {M.AUTHORISED, M.CAPTURING, M.VOIDING},
    M.CAPTURING: {M.CAPTURING, M.CAPTURED, M.VOIDING, M.CLOSED, M.REFUNDED},
    M.CAPTURED: {M.CAPTURED, M.REFUNDING},
    M.VOIDING: {M.VOIDING, M.CLOSED, M.REFUNDING, M.REFUNDED},
    M.REFUNDING: {M.REFUNDING, M.REFUNDED, M.CAPTURED},
    M.CLOSED: {M.CLOSED},
    M.REFUNDED: {M.REFUNDED},
}
LINES = {"w": "wax", "a": "ahxr", "h": "hcr", "c": "csrx", "s": "srt", "r": "rx", "t": "tus", "x": "x", "u": "u"}
"""By letter of domain.orders.LineState, the letters that may follow."""
PAYS_OF: dict[Phase, set[Pay]] = {
    P.CREATED: {M.NONE},
    P.PENDING: {M.NONE, M.AUTHORISING, M.ABANDONING, M.AUTHORISED, M.CAPTURING},
    P.PAID: {M.CAPTURED},
    P.CONFIRMED: {M.CAPTURED},
    P.SHIPPED: {M.CAPTURED},
    P.DELIVERED: {M.CAPTURED},
    P.RETURNING: {M.REFUNDING, M.CAPTURED, M.REFUNDED},
    P.UNDO: {M.VOIDING, M.CLOSED, M.REFUNDING, M.REFUNDED},
    P.REJECTED: {M.CLOSED},
    P.EXPIRED: {M.CLOSED},
    P.CANCELLED: {M.CLOSED},
    P.REFUNDED: {M.REFUNDED},
}
SHOWN: dict[str, set[str]] = {
    "": {Public.CREATED},
    Public.CREATED: {Public.RESERVED, Public.REJECTED, Public.EXPIRED, Public.CANCELLED},
    Public.RESERVED: {Public.PAYMENT_PENDING, Public.EXPIRED, Public.CANCELLED},
    Public.PAYMENT_PENDING: {Public.PAID, Public.EXPIRED, Public.CANCELLED, Public.REFUND_PENDING},
    Public.PAID: {Public.CONFIRMED, Public.REFUND_PENDING},
    Public.CONFIRMED: {Public.SHIPPED, Public.REFUND_PENDING},
    Public.SHIPPED: {Public.DELIVERED, Public.REFUND_PENDING},
    Public.DELIVERED: {Public.REFUND_PENDING},
    Public.REFUND_PENDING: {Public.REFUNDED, Public.SHIPPED, Public.DELIVERED},
}
"""What may be shown after what (C3)."""


class OrderViolatedError(Exception):
    """A change that no honest history has."""


@dataclass(slots=True)
class OrderRow:
    """What the changes said. `letters`: a state a line."""

    phase: Phase
    pay: Pay = M.CLOSED
    lines: tuple[PlacedLine, ...] = ()
    letters: str = ""
    version: int = 0
    sequence: int = 0
    public: str = ""
    attempt: int = 0
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    returned: dict[int, int] = field(default_factory=dict)


class OrderRows:
    """One partition's."""

    def __init__(self, attempts_max: int) -> None:
        self._attempts_max = attempts_max
        self.rows: dict[bytes, OrderRow] = {}
        self._begun: dict[bytes, Begun] = {}
        self._buried: dict[bytes, bytes] = {}
        self.capturing: set[tuple[bytes, int]] = set()
        """(order, attempt) of which a capture was asked."""

    def fold(self, changes: list[Any]) -> list[tuple[bytes, OrderRow]]:
        """The changes of one record, in order; the rows that stepped."""
        stepped = []
        for change in changes:
            match change:
                case Begun():
                    self._begin(change)
                case Stepped():
                    self._step(change)
                    stepped.append((change.order, self.rows[change.order]))
                case Buried():
                    _must(change.order not in self.rows, change, "an order that is known is buried")
                    self.rows[change.order] = OrderRow(P.EARLY, version=1, public=Public.CANCELLED, sequence=1)
                    self._buried[change.order] = change.customer
                case Resumed() | Noticed():
                    row = self.rows.get(change.order)
                    _must(change.version == (row.version if row else 0), change, row)
        return stepped

    def _begin(self, change: Begun) -> None:
        row = self.rows.get(change.order)
        _must(row is None or row.phase is P.EARLY, change, row)
        self._begun[change.order] = change

    def _step(self, change: Stepped) -> None:
        row = self.rows.get(change.order)
        begun = self._begun.pop(change.order, None)
        core = change.core
        if row is None or row.phase is P.EARLY:
            assert begun is not None, change
            before = row.phase if row else None
            row = self.rows[change.order] = row or OrderRow(P.CREATED, M.NONE)
            if before and self._buried[change.order] not in {b"", begun.customer}:
                before, row.public, row.sequence, row.pay = None, "", 0, M.NONE  # a stranger's cancel is nobody's
            _must(core.phase in PHASES[before], change, row)
            row.lines = begun.lines
        else:
            _must(begun is None, change, "begun twice")
            _must(core.phase in PHASES[row.phase], change, row)
            _must(core.pay in PAYS[row.pay], change, row)
            pairs = zip(row.letters, change.letters, strict=True)
            _must(all(after in LINES[before] for before, after in pairs), change, row)
        _must(change.version == row.version + 1 and change.before == row.public, change, row)
        self._money(change, row)
        self._shown(change, row)
        row.phase, row.pay, row.letters, row.version = core.phase, core.pay, change.letters, change.version
        for terms in change.terms:
            row.returned[terms.line] = terms.returned
        self._whole(change, row)

    def _money(self, change: Stepped, row: OrderRow) -> None:
        core = change.core
        if core.attempt != row.attempt:
            _must(core.attempt == row.attempt + 1 <= self._attempts_max, change, row)
            _must(row.pay in {M.NONE, M.ABANDONING}, change, row)
        _must(core.captured >= row.captured and core.refunded >= row.refunded, change, row)
        _must(core.refunded <= core.captured <= max(core.authorised, row.authorised), change, row)
        if core.captured > row.captured:
            _must(row.captured == 0, change, "captured twice")
        row.attempt, row.captured, row.refunded = core.attempt, core.captured, core.refunded
        row.authorised = core.authorised

    def _shown(self, change: Stepped, row: OrderRow) -> None:
        for public in change.passed:
            _must(public in SHOWN.get(row.public, ()), change, row)
            row.public = public
            row.sequence += 1
        _must(row.sequence == change.sequence, change, row)

    def _whole(self, change: Stepped, row: OrderRow) -> None:
        """What holds of a row in itself."""
        _must(row.pay in PAYS_OF[row.phase], change, row)
        letters = set(row.letters)
        if row.pay is M.CAPTURING:
            _must(letters <= set("sx") and "s" in letters, change, "captured before everything was sold")
            self.capturing.add((change.order, row.attempt))
        if row.phase in {P.PAID, P.CONFIRMED}:
            _must(letters <= set("sx") and "s" in letters, change, row)
            _must(row.captured > row.refunded == 0, change, row)
        elif row.phase is P.UNDO:
            _must(letters <= set("rx"), change, row)
        elif row.phase in FINAL:
            _must(letters <= set("xus" if row.phase is P.REFUNDED else "x"), change, row)
            _must((row.captured > 0) is (row.phase is P.REFUNDED), change, row)
            _must(row.refunded == row.captured, change, row)

    def units(self, order: bytes, place: int) -> int:
        """Units of a line that are the customer's."""
        row = self.rows[order]
        line = row.lines[place]
        return line.quantity - row.returned.get(line.line, 0) if row.letters[place] == LineState.SOLD else 0


def _must(holds: bool, change: Any, row: object) -> None:
    if not holds:
        raise OrderViolatedError(f"{change} of {row}")
