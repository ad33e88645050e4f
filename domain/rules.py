"""The numbers that decisions depend on, tied to a rules version: they are part of the log's meaning, never settings.

Changing one means a new version (SetRules puts it in force); the old ones stay, so that an old log folds as it was.
"""

from collections.abc import Mapping
from typing import NamedTuple

MINUTE_MS = 60_000


class Rules(NamedTuple):
    """One version. Why a record's bytes have a budget (900 KiB): docs/adr/0010-one-record-per-decision.md.

    Worst legal record: 3,000 lines at <= 134 bytes of change and totals each (402 KB), their SKUs three times and the
    carried bytes (<= 3 x 64 KiB in all, bounded by the batch), 500 commits that touch a pool each (500 x 341 = 171
    KB), 256 swept holds of a pool each (256 x 338 = 87 KB) and 2,048 x 20 bytes of pool sweep (41 KB): 898 KB.
    """

    sweep_max: int = 256
    """Due holds swept at the start of a record."""
    pool_sweep_max: int = 2_048
    """Due holds of single pools swept in a record before refusals, over all its commands."""
    prune_max: int = 1_024
    """Ended rows that leave memory at the start of a record (4 ms): more than 500 commands and the sweep can add."""
    ended_keep_ms: int = 15 * MINUTE_MS
    """How long RELEASED, EXPIRED and RETURNED rows stay. Not shorter than `ahead_max_ms`: a tombstone outlives every
    Reserve that was on its way when it was made."""
    extend_max_ms: int = 15 * MINUTE_MS
    """A hold ends at most this long after its grant."""
    ahead_max_ms: int = 15 * MINUTE_MS
    """A `not_after` further ahead than this is malformed."""
    refusal_generation_ms: int = 30_000
    refusal_generations: int = 5
    """The open generation and four full ones: a refusal is remembered for 120 to 150 s."""
    refusals_max: int = 1 << 23
    """Per partition; 8.4 M x about 55 bytes = 460 MB, two minutes at 60,000 refusals a second. Full: BUSY."""
    tombstones_max: int = 1 << 17
    """Per partition; 131,072 x about 80 bytes = 10 MB. Full: BUSY."""
    tombstones_per_customer: int = 20
    lines_max: int = 64
    """Lines of one ReserveAll."""
    record_lines_max: int = 3_000
    """Lines that ReserveAll commands write into a record; what is over is BUSY (see the byte budget above)."""


RULES: Mapping[int, Rules] = {1: Rules()}
FIRST_RULES = 1
