"""How the stand-in behaves: rates of declines and faults, limits, how webhooks arrive. Rates are shares of 1."""

from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

import msgspec

DAY_MS = 86_400_000
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Millis = Annotated[int, msgspec.Meta(ge=0)]
Rate = Annotated[float, msgspec.Meta(ge=0)]


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes wrong with one call; at most one of these, so the shares add up to at most 1.

    `slow`: executed at once, answered after about slow_ms. `hang`: executed only after hang_ms, never answered; its
    key is in use until then. `answer_lost`: executed, the connection is cut. `request_lost`: not executed, the
    connection is cut. `error_after`: executed and answered 500, which is kept as the answer of its key.
    `unavailable`: 503, not executed, not kept.
    """

    slow: Share = 0.0
    hang: Share = 0.0
    answer_lost: Share = 0.0
    request_lost: Share = 0.0
    error_after: Share = 0.0
    unavailable: Share = 0.0
    slow_ms: Millis = 3_000
    hang_ms: Millis = 30_000

    def __post_init__(self) -> None:
        total = self.slow + self.hang + self.answer_lost + self.request_lost + self.error_after + self.unavailable
        if total > 1 + 1e-9:  # shares such as 0.1 have no exact float
            message = f"the shares of faults add up to {total}, more than 1"
            raise ValueError(message)


class Behaviour(Faults, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that can be set. Default: no fault, no latency, the live mode's limits.

    `declines`: share of attempts whose card is declined, drawn from environment, order and attempt of the metadata,
    so that a repeat of an attempt meets the same. `reads_per_s`, `writes_per_s`: 429 above them; 0 = no limit.
    `latency_ms`: the median of every answer. Webhooks: each event is `webhook_lost` (never sent), or sent after up to
    webhook_shuffle_ms (so their order changes), `webhook_late` of them webhook_late_ms later, `webhook_doubled` of
    them twice. `seed` of all chance and all ids. An authorisation lasts `authorised_ms`, a key is kept `kept_ms`:
    the provider's times, which a simulation makes shorter. A refund that is not settled at once is after `refund_ms`.
    """

    seed: int = 0
    declines: Share = 0.0
    latency_ms: Millis = 0
    reads_per_s: Rate = 100.0
    writes_per_s: Rate = 100.0
    webhook_doubled: Share = 0.0
    webhook_lost: Share = 0.0
    webhook_late: Share = 0.0
    webhook_late_ms: Millis = 5_000
    webhook_shuffle_ms: Millis = 0
    authorised_ms: Millis = 7 * DAY_MS
    kept_ms: Millis = DAY_MS
    refund_ms: Millis = 5_000


BROWNOUT = Faults(
    slow=0.45,
    hang=0.1,
    answer_lost=0.1,
    request_lost=0.1,
    error_after=0.1,
    unavailable=0.15,
    slow_ms=2_000,
    hang_ms=6_000,
)
"""All calls of a brownout: none is answered as usual."""


def behaviour_of(url: str) -> Behaviour:
    """The behaviour in the query of `stand-in://?declines=0.03&writes_per_s=0`; ValueError for anything unknown."""
    try:
        return msgspec.convert(dict(parse_qsl(urlsplit(url).query)), Behaviour, strict=False)
    except msgspec.ValidationError as error:
        message = f"{url}: {error} (TURNSTILE_PAYMENTS or TURNSTILE_STAND_IN_BEHAVIOUR)"
        raise ValueError(message) from error
