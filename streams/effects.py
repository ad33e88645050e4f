"""What a partition machine asks of its shell. Plain values, in the order in which they were asked for."""

from enum import Enum
from typing import NamedTuple


class Role(Enum):
    """Of a worker for one partition."""

    COLD = "cold"
    """No state, or not yet folded to the end. Wants ledger records from offset `ledger_next` on."""
    WARM = "warm"
    """Folded to the end and following; may claim."""
    OWNER = "owner"
    """Its CLAIM is the last accepted one: decides."""
    STOPPED = "stopped"
    """The log contradicts itself or the code: an alarm was raised, nothing is done until the process restarts."""


class Append(NamedTuple):
    """Append a decision to the ledger partition. Answer with `on_appended(token, offset)`, in order; -1 = unknown.

    `outcomes`: the codes in it, for metrics.
    """

    token: int
    value: bytes
    outcomes: bytes


class AppendClaim(NamedTuple):
    """Append a CLAIM. Answer with `on_claim_appended(nonce, offset)`."""

    nonce: bytes
    value: bytes


class AppendCommand(NamedTuple):
    """Append a batch of the worker's own (tick, yield) to the commands partition. Answer `on_command_appended`.

    Losing one is safe: it is asked for again.
    """

    token: int
    value: bytes


class Publish(NamedTuple):
    """Append a fact to the events partition. Answer with `on_published(ledger_offset)` once acked."""

    ledger_offset: int
    value: bytes


class DeadLetter(NamedTuple):
    """Append this command record, as it was, to the dead letters, with the reason."""

    offset: int
    timestamp_ms: int
    value: bytes
    reason: str


class Look(NamedTuple):
    """Ask the broker afresh, then `on_look`: ends of both partitions, the commands' start, the records at 0 and src."""

    token: int
    src: int


class ReadLedger(NamedTuple):
    """Do not wait for the lazy tail: read [start, end) of the ledger and feed it to `on_ledger`."""

    start: int
    end: int


class SeekLedger(NamedTuple):
    """The tail must go on at this ledger offset."""

    offset: int


class SeekCommands(NamedTuple):
    """This worker owns: the hot reader must feed commands from this offset on."""

    offset: int


class StopCommands(NamedTuple):
    """This worker does not own any more: the hot reader lets go of the partition."""


class Rebuild(NamedTuple):
    """The state was dropped: `restore` a snapshot if there is one, feed the ledger in small slices, `on_caught_up`.

    `afresh`: the last snapshot did not fit the ledger. Throw it away, feed from offset 0.
    """

    afresh: bool = False


class RoleChanged(NamedTuple):
    """For logs and metrics."""

    role: Role
    reason: str


class Alarm(NamedTuple):
    """Somebody should look. `action` is a stable name for machines."""

    action: str
    message: str


class Exit(NamedTuple):
    """The process must end at once with this code (W5): it can no longer know what it has written."""

    code: int
    reason: str


Effect = (
    Append
    | AppendClaim
    | AppendCommand
    | Publish
    | DeadLetter
    | Look
    | ReadLedger
    | SeekLedger
    | SeekCommands
    | StopCommands
    | Rebuild
    | RoleChanged
    | Alarm
    | Exit
)


class Seen(NamedTuple):
    """The answer to a Look. `genesis` and `at_src` are (timestamp_ms, value), None where the log keeps them no more."""

    token: int
    ledger_end: int
    commands_start: int
    commands_end: int
    genesis: tuple[int, bytes] | None
    at_src: tuple[int, bytes] | None
