"""The numbers of rules version 1 that an answer may depend on, as docs/inventory.md states them.

Written down a second time on purpose: a product that changes one of them by accident disagrees with its auditor.
"""

RULES_VERSION = 1

MINUTE_MS = 60_000
SWEEP_MAX = 256
"""Due holds that a record sweeps before anything else."""
POOL_SWEEP_MAX = 2_048
"""Due holds that a record may expire for the sake of single commands; after that it may refuse."""
ENDED_KEEP_MS = 15 * MINUTE_MS
"""Ended rows are remembered so long; then the product may forget them at any time."""
ENDED_DROP_MS = 4 * ENDED_KEEP_MS
"""When the auditor forgets them: the product drops thousands a record, so it is never so far behind."""
EXTEND_MAX_MS = 15 * MINUTE_MS
AHEAD_MAX_MS = 15 * MINUTE_MS
REFUSAL_GENERATION_MS = 30_000
REFUSAL_MUST_MS = 2 * MINUTE_MS
"""A refusal is remembered at least so long; then the key may be a new question."""
REFUSAL_GENERATIONS = 10
"""A product that remembers longer than it must is right too; what is older than 5 minutes is not kept here."""
REFUSALS_MAX = 1 << 23
TOMBSTONES_MAX = 1 << 17
TOMBSTONES_PER_CUSTOMER = 20
RECORD_LINES_MAX = 3_000
"""Lines of all ReserveAll commands of a record that may be decided; beyond that they are BUSY."""
