"""What `decide` says about one command: an outcome, and the changes that make it so."""

from typing import NamedTuple

from domain.outcomes import Outcome
from domain.pool import Pool
from domain.stock import Change, Repeat


class Verdict(NamedTuple):
    """`outcome`: a wire code, | REPEATED where it is the first answer again (then `repeats` says which).

    `lacking`: this refusal is for want of units or for the limit, and this pool has due holds that were not swept
    yet. The verdict does not count before they are: sweep one of them, decide again.
    """

    outcome: int
    changes: tuple[Change, ...] = ()
    repeats: tuple[Repeat, ...] = ()
    lacking: Pool | None = None


BUSY = Verdict(Outcome.BUSY)
CONFLICT = Verdict(Outcome.CONFLICT)
FORBIDDEN = Verdict(Outcome.FORBIDDEN)
GONE = Verdict(Outcome.GONE)
KEY_REUSED = Verdict(Outcome.KEY_REUSED)
MALFORMED = Verdict(Outcome.MALFORMED)
NOT_YOURS = Verdict(Outcome.NOT_YOURS)
SHORTFALL = Verdict(Outcome.SHORTFALL)
TOO_LATE = Verdict(Outcome.TOO_LATE)
UNKNOWN_SKU = Verdict(Outcome.UNKNOWN_SKU)
