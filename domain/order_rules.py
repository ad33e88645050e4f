"""The numbers that decisions about orders depend on, tied to a rules version like those of domain/rules.py."""

from collections.abc import Mapping
from typing import NamedTuple

from domain.rules import MINUTE_MS

SECOND_MS = 1_000


class OrderRules(NamedTuple):
    """One version.

    Worst legal record (900 KiB = 921,600 bytes; tests/properties/test_order_size.py): 500 commands that change an order
    of 20 lines each (500 x <= 1,000 = 500 KB), what the commands themselves bring, written up to twice (<= 2 x 64 KiB),
    1,000 lines of reserve requests (1,000 x <= 85 = 85 KB), 96 orders swept (96 x 950 = 91 KB) and 24 resumed with a
    reserve request of 20 lines each (24 x 1,800 = 43 KB): 850 KB.
    """

    deadline_ms: int = 5 * MINUTE_MS
    """From the order's start to money authorised."""
    method_wait_ms: int = 5 * MINUTE_MS
    """How long an order that was born without a payment method waits for one."""
    hold_margin_ms: int = 5 * SECOND_MS
    """An order ends this long before the first of its holds does: time for the commits."""
    queued_max_ms: int = 14 * MINUTE_MS
    """The latest deadline of an order whose payment waits in a queue, from its start."""
    hold_slack_ms: int = MINUTE_MS
    """Holds of a queued payment are extended to the order's deadline and this; stock ends them at grant + 15 min."""
    attempts_max: int = 3
    resume_first_ms: int = 30 * SECOND_MS
    """A request that nobody answered for so long is made again, then after twice as long, and so on."""
    resume_last_ms: int = 10 * MINUTE_MS
    early_keep_ms: int = 60 * MINUTE_MS
    """How long a cancel before birth is remembered: longer than any request for it can be on its way."""
    early_per_customer: int = 20
    early_max: int = 1 << 17
    """Per partition; 131,072 x about 300 bytes = 40 MB. Full: BUSY."""
    prune_max: int = 1_024
    sweep_max: int = 96
    """Orders whose deadline is swept at the start of a record."""
    resume_max: int = 24
    """Orders whose unanswered requests are made again at the start of a record."""
    record_lines_max: int = 1_000
    """Lines of reserve requests that answers may lead to in a record; what is over is BUSY and asked for again."""
    movements_max: int = 64
    """Returns and refunds of one order."""
    ahead_max_ms: int = 15 * MINUTE_MS
    """A `not_after` further ahead than this is malformed."""


ORDER_RULES: Mapping[int, OrderRules] = {1: OrderRules()}
FIRST_ORDER_RULES = 1
