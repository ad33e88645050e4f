"""Who sent a command. The fold has a table of role x command kind; anything else is FORBIDDEN."""

from enum import IntEnum


class Role(IntEnum):
    """Wire codes in the header of a command batch; never renumber."""

    GATEWAY = 1
    ORDER = 2
    OPS = 3
    WORKER = 4
    RELAY = 5
    PAYMENT = 6
    """The payment and the compensation agents."""
    CONFIRMATION = 7
