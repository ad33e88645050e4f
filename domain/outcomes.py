"""What a command can come to, in order of precedence: decide checks from the top, the first that holds is the answer.

The numbers are the wire codes of answers in the ledger; never renumber, only append. The names outside Python are
kebab-case (`Outcome.SOLD_OUT.label == "sold-out"`).
"""

from enum import IntEnum


class InvariantViolatedError(Exception):
    """A bug or a broken ledger, never bad input: the partition stops rather than sell on. Do not catch it to go on."""


class Outcome(IntEnum):
    # Refusals of any command, by precedence.
    MALFORMED = 1
    FORBIDDEN = 2
    FAULT = 3
    KEY_REUSED = 4
    TOO_LATE = 5
    UNKNOWN_SKU = 6
    BUSY = 7
    NOT_OPEN = 8
    CLOSED = 9
    PRICE_CHANGED = 10
    LIMIT_REACHED = 11
    ALL_HELD = 12
    SOLD_OUT = 13
    INSUFFICIENT = 14
    SIBLING_REFUSED = 15
    GRANTED = 16
    # What becomes of an existing reservation.
    COMMITTED = 20
    RELEASED = 21
    EXPIRED = 22
    EXTENDED = 23
    RETURNED = 24
    GONE = 25
    NOT_YOURS = 26
    # Stock and policy.
    ADJUSTED = 30
    SHORTFALL = 31
    POLICY_SET = 32
    OPENED = 33
    SHUT = 34
    CONFLICT = 35
    RULES_SET = 36
    # The protocol's own commands (streams/protocol.py).
    TICKED = 40
    YIELDED = 41
    NOT_YIELDED = 42
    PINNED = 43
    # Orders (domain/order.py).
    BORN = 50
    PLACED = 51
    ACCEPTED = 52
    REFUSED = 53
    NOTED = 54
    UNCHANGED = 55
    UNKNOWN_ORDER = 56

    @property
    def label(self) -> str:
        """The name outside Python: kebab-case."""
        return self.name.lower().replace("_", "-")


REPEATED = 0x80
"""Flag on an answer's code in the ledger: this command was decided before, the code is the first answer again."""

OF_ORDERS = frozenset(outcome for outcome in Outcome if outcome >= Outcome.BORN)
"""What only commands of orders come to."""
