"""How long decisions stayed away: from the moments at which they were seen."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from bench.load import Moment


class NoDecisionError(LookupError):
    """A partition was not decided for at all in the time that was looked at."""


def until_next_s(moments: Iterable[Moment], partition: int, since_s: float) -> float:
    """From `since_s` to the first decision of what was due after it. NoDecisionError."""
    found = [one.decided_s for one in moments if one.partition == partition and one.due_s > since_s]
    if not found:
        message = f"nothing that was due after the fault was decided in partition {partition}"
        raise NoDecisionError(message)
    return min(found) - since_s


def largest_s(moments: Iterable[Moment], partition: int, since_s: float, until_s: float) -> float:
    """The longest time between two decisions in a row, of those that end in this stretch. NoDecisionError."""
    decided = sorted(one.decided_s for one in moments if one.partition == partition)
    gaps = [later - earlier for earlier, later in pairwise(decided) if since_s <= later <= until_s]
    if not gaps:
        message = f"no decision in partition {partition} between {since_s:.3f} and {until_s:.3f}"
        raise NoDecisionError(message)
    return max(gaps)


def rate(
    moments: Iterable[Moment], partitions: Collection[int], zero_s: float, bin_s: float
) -> Sequence[tuple[float, float]]:
    """Decisions a second over time, by the start of each bin in seconds from `zero_s`, empty ones too."""
    bins = Counter(int((one.decided_s - zero_s) // bin_s) for one in moments if one.partition in partitions)
    if not bins:
        return []
    return [(number * bin_s, bins[number] / bin_s) for number in range(min(bins), max(bins) + 1)]
