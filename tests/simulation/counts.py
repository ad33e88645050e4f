"""What a run of many seeds must have seen at least once each: a simulation that meets no fault proves nothing."""

from collections import Counter

MUST_HAPPEN = {
    "accepted": "records accepted",
    "claimed": "claims accepted",
    "claim-lost": "claims that came second",
    "stale": "records of a fenced owner, dropped",
    "duplicate": "decisions of what was decided, dropped",
    "early claims": "claims that nothing asked for",
    "claims: assigned": "claims by plan",
    "claims: silence": "takeovers of a silent owner",
    "claims: yielded": "claims after a yield",
    "claims: ruling": "claims of `ledger rule`",
    "moves": "partitions that changed hands",
    "parked": "partitions parked after three claims",
    "rulings": "rulings accepted",
    "machine: fenced": "owners fenced",
    "role: fenced": "owners fenced, seen by their shell",
    "machine: yielded": "owners that yielded",
    "machine: republished": "facts that a new owner published again",
    "machine: failed": "folds that broke",
    "machine: looks_late": "looks answered too late to count",
    "machine: looks_behind": "looks that showed something new",
    "outcome: yielded": "yields in force",
    "outcome: not-yielded": "yields too late, of another epoch, or to the owner",
    "outcome: pinned": "pins",
    "outcome: fault": "commands that met a bug or a ruling",
    "outcome: malformed": "undecodable records decided",
    "outcome: forbidden": "commands of the wrong role",
    "outcome: granted": "grants",
    "outcome: sold-out": "refusals: sold out",
    "outcome: all-held": "refusals: all held",
    "outcome: limit-reached": "refusals: limit",
    "outcome: too-late": "requests past their time",
    "outcome: key-reused": "keys used for other content",
    "outcome: gone": "commits or requests that came too late",
    "answers repeated": "first answers given again",
    "change: Sold": "sales",
    "change: Released": "releases",
    "change: Expired": "expiries",
    "change: Extended": "extensions",
    "change: Returned": "returns",
    "facts published again": "facts on the events topic more than once",
    "facts guarded against": "facts that a view had seen before",
    "ghosts landed": "records of a dead session that landed after its end",
    "acks late": "acks delayed",
    "acks lost": "acks lost",
    "acks unknown": "acks without an offset",
    "appends failed": "owners that gave up after a lost ack (W5)",
    "batches sent again": "batches sent again by another producer",
    "fact producers replaced": "fact producers replaced",
    "command producers replaced": "a worker's command producers replaced",
    "holes read": "holes in an owner's acks, or gaps, read",
    "found in a hole": "own records that only the ledger showed to be accepted",
    "ticks of owners": "ticks by owners",
    "ticks of standbys": "ticks by standbys",
    "crashes": "processes killed",
    "terminations": "workers asked to stop",
    "pauses": "processes stopped and continued",
    "cuts": "processes cut off from the broker",
    "exits": "processes that ended themselves",
    "clones": "processes copied while owning",
    "slow workers": "workers slowed down",
    "log clocks skewed": "jumps of the broker's clock",
    "wall clocks skewed": "jumps of a worker's clock",
    "alarm: clock.ahead": "alarms: a record from the future",
    "members unknown": "plans without members",
    "reassignments": "plans changed",
    "looks failed": "looks never answered",
    "looks slow": "looks answered late",
    "dead letters": "dead letters",
}
"""Name in the world's counts, and what it says in the table."""


def missing(counts: Counter[str]) -> list[str]:
    """What never happened."""
    return [name for name in MUST_HAPPEN if not counts[name]]


def table(counts: Counter[str]) -> str:
    """What happened, for people."""
    lines = [f"{counts[name]:>12,}  {meaning}" for name, meaning in MUST_HAPPEN.items()]
    return "\n".join(lines)
