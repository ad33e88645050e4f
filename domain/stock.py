"""The vocabulary of the inventory fold: commands in, changes out, both plain tuples.

Shapes: `hold` = 17 bytes (order id + line), `customer` and `fingerprint` = 8 bytes, money in integer minor units,
times in integer milliseconds UTC of log time. `index` = position of the command in its batch. Wire kinds stand in
COMMANDS and CHANGES: a number on the wire is for ever, a class may be renamed.
"""

from typing import NamedTuple

# --- commands ---------------------------------------------------------------------------------------------------


class Reserve(NamedTuple):
    """Hold `quantity` units of one SKU for a customer. After `not_after_ms` of log time it is TOO_LATE."""

    hold: bytes
    sku: str
    customer: bytes
    quantity: int
    not_after_ms: int
    fingerprint: bytes
    max_price: int = -1
    carried: bytes = b""


class Line(NamedTuple):
    """One line of a ReserveAll."""

    line: int
    sku: str
    quantity: int
    max_price: int = -1


class ReserveAll(NamedTuple):
    """Hold several lines of one partition: all or nothing, or (`partial`) each that can be had."""

    order: bytes
    customer: bytes
    partial: bool
    not_after_ms: int
    fingerprint: bytes
    lines: tuple[Line, ...]
    carried: bytes = b""


class Commit(NamedTuple):
    """A hold becomes a sale. `customer` may be set (b"" otherwise): not the row's = NOT_YOURS."""

    hold: bytes
    customer: bytes = b""


class Release(NamedTuple):
    """Let go, from every state; absorbing. `customer` as in Commit."""

    hold: bytes
    customer: bytes = b""


class Extend(NamedTuple):
    """A later deadline for a hold, at most 15 minutes after its grant."""

    hold: bytes
    until_ms: int


class Return(NamedTuple):
    """Units of a sale come back: to available (`restock`) or to written_off. `reference` is unique per row."""

    hold: bytes
    reference: int
    quantity: int
    restock: bool


class Adjust(NamedTuple):
    """Receive units (or take available ones away). `reference` is unique per pool, remembered for good."""

    sku: str
    delta: int
    reference: str
    reason: str


class SetPolicy(NamedTuple):
    """Create a pool (`version` 0) or change the policy of that version."""

    sku: str
    version: int
    price: int
    currency: str
    limit: int
    hold_ms: int
    customer_key: str


class Open(NamedTuple):
    """Start selling; `version` is the policy version that this changes."""

    sku: str
    version: int


class Close(NamedTuple):
    """Stop selling; holds stay what they are."""

    sku: str
    version: int


class SetRules(NamedTuple):
    """From the next record on, decide by this version of the rules."""

    version: int


Command = Reserve | ReserveAll | Commit | Release | Extend | Return | Adjust | SetPolicy | Open | Close | SetRules

# --- changes ----------------------------------------------------------------------------------------------------


class Granted(NamedTuple):
    """none -> HELD. The receipt is (partition, src of the record, index)."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    hold: bytes
    sku: str
    customer: bytes
    quantity: int
    unit_price: int
    currency: str
    deadline_ms: int
    fingerprint: bytes
    carried: bytes


class Refused(NamedTuple):
    """A refusal that is remembered for its key (too-late, unknown-sku and busy are not, and leave no change)."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    hold: bytes
    outcome: int
    fingerprint: bytes


class Sold(NamedTuple):
    """HELD or EXPIRED -> SOLD."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    hold: bytes


class Released(NamedTuple):
    """Any state, or none (then a tombstone), -> RELEASED."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    hold: bytes
    customer: bytes


class Expired(NamedTuple):
    """HELD -> EXPIRED, by log time alone."""

    hold: bytes


class Extended(NamedTuple):
    """HELD, a later deadline."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    hold: bytes
    deadline_ms: int


class Returned(NamedTuple):
    """SOLD, fewer units; RETURNED when none is left."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    hold: bytes
    reference: int
    quantity: int
    restock: bool


class Adjusted(NamedTuple):
    """Units received (delta > 0) or taken from available and received (< 0); asked were `delta - shortfall`."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    sku: str
    delta: int
    reference: str
    shortfall: int = 0


class PolicySet(NamedTuple):
    """The pool's policy, whole; `version` is the new one (1 = the pool was created, not yet open)."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    sku: str
    version: int
    price: int
    currency: str
    limit: int
    hold_ms: int
    customer_key: str


class Opened(NamedTuple):
    """Selling; `version` is the new policy version."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    sku: str
    version: int


class Closed(NamedTuple):
    """Not selling any more; `version` is the new policy version."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    sku: str
    version: int


class Answered(NamedTuple):
    """Nothing changed, but who asked by this hold wants to know what its command came to (`outcomes[index]`).

    `command` = its wire kind; `reference` = a Return's. Of a ReserveAll: the order and its first line.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index
    hold: bytes
    command: int
    reference: int = 0


class RulesSet(NamedTuple):
    """Rules version in force from the next record on."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    version: int


Change = (
    Granted
    | Refused
    | Sold
    | Released
    | Expired
    | Extended
    | Returned
    | Adjusted
    | PolicySet
    | Opened
    | Closed
    | RulesSet
    | Answered
)

# --- what else a decision says ------------------------------------------------------------------------------------


class Repeat(NamedTuple):
    """A key that was decided before: its first receipt and, for a grant, the grant (sku "" for a refusal)."""

    index: int  # type: ignore[assignment]  # hides tuple.index
    hold: bytes
    offset: int
    position: int
    sku: str = ""
    customer: bytes = b""
    quantity: int = 0
    unit_price: int = 0
    currency: str = ""
    deadline_ms: int = 0


class Totals(NamedTuple):
    """A pool's counters after the record: received = available + held + sold + written_off; sequence + 1 a record."""

    sku: str
    received: int
    available: int
    held: int
    sold: int
    written_off: int
    sequence: int


COMMANDS: dict[int, type] = {
    1: Reserve,
    2: ReserveAll,
    3: Commit,
    4: Release,
    5: Extend,
    6: Return,
    7: Adjust,
    8: SetPolicy,
    9: Open,
    10: Close,
    11: SetRules,
}
CHANGES: dict[int, type] = {
    1: Granted,
    2: Refused,
    3: Sold,
    4: Released,
    5: Expired,
    6: Extended,
    7: Returned,
    8: Adjusted,
    9: PolicySet,
    10: Opened,
    11: Closed,
    12: RulesSet,
    13: Answered,
}
