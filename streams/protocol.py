"""The commands that are the protocol's own, in every commands topic whatever the fold.

Their kinds share the number space of a batch's runs with the fold's commands: 100 and up.
"""

from typing import NamedTuple


class Tick(NamedTuple):
    """Let time pass: what is due is swept by the record itself."""


class Yield(NamedTuple):
    """The owner of `epoch` hands over to worker `to` ("" = to nobody in particular), if in time."""

    to: str
    epoch: int
    not_after_ms: int


class Pin(NamedTuple):
    """The operator wants this partition at `worker` ("" = automatic again)."""

    worker: str


PROTOCOL_COMMANDS: dict[int, type] = {100: Tick, 101: Yield, 102: Pin}
