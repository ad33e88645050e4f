"""The book of charges: one row an intent, what the auditor reads."""

from collections.abc import Iterable

import msgspec

from adapters.stand_in.objects import Intent


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """Money of one intent, in minor units of `currency`. From its metadata: environment, order, attempt (0 = none).

    authorised = captured + voided + what can still be captured; refunded <= captured. A refund that
    is pending counts, one that failed does not.
    """

    id: str
    environment: str
    order: str
    attempt: int
    amount: int
    currency: str
    authorised: int
    captured: int
    refunded: int
    voided: int
    status: str
    created_ms: int


def charge_of(intent: Intent) -> Charge:
    attempt = intent.metadata.get("attempt", "")
    return Charge(
        id=intent.id,
        environment=intent.metadata.get("environment", ""),
        order=intent.metadata.get("order", ""),
        attempt=int(attempt) if attempt.isdecimal() else 0,
        amount=intent.amount,
        currency=intent.currency,
        authorised=intent.authorised,
        captured=intent.captured,
        refunded=intent.refunded,
        voided=intent.voided,
        status=intent.status,
        created_ms=intent.created_ms,
    )


def lines(charges: Iterable[Charge]) -> bytes:
    """JSON, one a line."""
    return msgspec.json.Encoder().encode_lines(list(charges))


class _Printed(msgspec.Struct):
    charges: list[Charge]


def read(text: bytes) -> list[Charge]:
    """What `lines` wrote, or `turnstile stripe book --json` printed; msgspec.MsgspecError if it is neither."""
    try:
        return msgspec.json.decode(text, type=_Printed).charges
    except msgspec.MsgspecError:
        return read_lines(text)


def read_lines(text: bytes) -> list[Charge]:
    """What `lines` wrote."""
    return msgspec.json.Decoder(Charge).decode_lines(text)
