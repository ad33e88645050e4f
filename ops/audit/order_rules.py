"""Which way an order may go, and who must have said so: the auditor's own reading of docs/journey.md.

A letter of a line or of the money changes only for a reason that stands in the commands: an answer of stock or of the
provider, a wish, or time.
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.orders import (
    Booked,
    Born,
    Cancel,
    LineAnswered,
    Method,
    PayAnswered,
    Place,
    Refund,
    Reserved,
    Settle,
    TakeBack,
)
from domain.outcomes import REPEATED, Outcome

PUBLIC: Mapping[str, frozenset[str]] = {
    "": frozenset({"CREATED", "CANCELLED"}),
    "CREATED": frozenset({"RESERVED", "REJECTED", "EXPIRED", "CANCELLED"}),
    "RESERVED": frozenset({"PAYMENT_PENDING", "REJECTED", "EXPIRED", "CANCELLED"}),
    "PAYMENT_PENDING": frozenset({"PAID", "EXPIRED", "CANCELLED", "REFUND_PENDING"}),
    "PAID": frozenset({"CONFIRMED", "REFUND_PENDING"}),
    "CONFIRMED": frozenset({"SHIPPED", "REFUND_PENDING"}),
    "SHIPPED": frozenset({"DELIVERED", "REFUND_PENDING"}),
    "DELIVERED": frozenset({"REFUND_PENDING"}),
    "REFUND_PENDING": frozenset({"REFUNDED", "SHIPPED", "DELIVERED"}),
}
"""From -> to. REFUND_PENDING leads back only after a part was refunded. Ends have no way on."""
LATE_CANCEL = ("CANCELLED", "CREATED")
"""A cancel that came before its order was shown as the end; the order that is born then has to be undone."""

Because = Callable[[Any, int], bool]
"""Whether a command (None: time) is a reason for a change of this line (-1: the money)."""


def _stock_said(asked: str, *outcomes: Outcome) -> Because:
    def because(command: Any, line: int) -> bool:
        return (
            isinstance(command, LineAnswered)
            and (command.asked, command.line) == (asked, line)
            and (not outcomes or command.outcome & ~REPEATED in outcomes)
        )

    return because


def _granted(command: Any, line: int) -> bool:
    if isinstance(command, Born):
        return line == 0
    return isinstance(command, Reserved) and any(one.line == line for one in command.granted)


def _refused(command: Any, line: int) -> bool:
    return isinstance(command, Reserved) and all(one.line != line for one in command.granted)


def _paid(operation: str, *outcomes: str) -> Because:
    def because(command: Any, _: int) -> bool:
        return isinstance(command, PayAnswered) and command.operation == operation and command.outcome in outcomes

    return because


def _settled(outcome: str) -> Because:
    return lambda command, _: isinstance(command, Settle) and command.outcome == outcome


def _of(*kinds: type) -> Because:
    return lambda command, _: isinstance(command, kinds)


def _commit_answered(command: Any, _: int) -> bool:
    return isinstance(command, LineAnswered) and command.asked == "commit"


def _commit_gone(command: Any, line: int) -> bool:
    return _stock_said("commit")(command, line) and command.outcome & ~REPEATED != Outcome.COMMITTED


_authorised = _paid("authorise", "authorised")
_LINES: Mapping[str, tuple[Because, ...]] = {
    "wa": (_of(Place, Reserved),),
    "wh": (_granted,),
    "ah": (_granted,),
    "ax": (_refused,),
    "hc": (_authorised,),
    "cs": (_stock_said("commit", Outcome.COMMITTED),),
    "cx": (_commit_gone,),
    "rx": (_stock_said("release", Outcome.RELEASED),),
    "st": (_of(TakeBack),),
    "ts": (_stock_said("return"),),
    "tu": (_stock_said("return"),),
}
_BACK = frozenset({"ar", "hr", "cr", "sr", "wx", "wr", "tr"})
"""Only on the way back; why there is one, is the cause's business."""
_MONEY: Mapping[str, tuple[Because, ...]] = {
    "NA": (_of(Born, Reserved, Method),),
    "AH": (_authorised,),
    "AW": (_paid("authorise", "declined", "cancelled"),),
    "WA": (_paid("void", "voided", "cancelled"), _settled("voided")),
    "WN": (_paid("void", "voided", "cancelled"), _settled("voided")),
    "WR": (_paid("void", "captured"),),
    "HC": (_commit_answered,),
    "CK": (_paid("capture", "captured"), _settled("captured")),
    "VX": (_paid("void", "voided", "cancelled"), _settled("voided")),
    "VR": (_paid("void", "captured"), _paid("capture", "captured"), _settled("captured")),
    "KR": (_of(TakeBack, Refund, Cancel),),
    "RF": (_paid("refund", "refunded"), _settled("refunded")),
    "RK": (_paid("refund", "refunded"), _settled("refunded")),
    "CV": (_paid("capture", "failed", "cancelled"), _of(Cancel), _settled("voided")),
    "CX": (_settled("voided"),),
    "CR": (_settled("captured"),),
    "VF": (_settled("refunded"),),
    "CF": (_settled("refunded"),),
}
_MONEY_BACK = frozenset({"NX", "AV", "WV", "HV"})


def line_may(was: str, now: str, command: Any, line: int, *, back: bool) -> bool:
    """Whether this command (None: time) is a reason for a line's change."""
    if was == now or (back and was + now in _BACK):
        return True
    return any(because(command, line) for because in _LINES.get(was + now, ()))


def money_may(was: str, now: str, command: Any, *, back: bool) -> bool:
    """Whether this command (None: time) is a reason for the money's change."""
    if was == now or (back and was + now in _MONEY_BACK):
        return True
    return any(because(command, -1) for because in _MONEY.get(was + now, ()))


def confirms(command: Any) -> bool:
    """Whether the system of record has said that it has the order."""
    return isinstance(command, Booked)
