"""One commands record becomes one DECIDED record: the protocol's part around the fold's (W3, W10)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.outcomes import InvariantViolatedError, Outcome
from domain.roles import Role
from streams.acceptance import Acceptance
from streams.fold import Fault, Fold
from streams.protocol import Pin, Tick, Yield
from streams.records import (
    DECIDED,
    DECIDED_BYTES_MAX,
    EMPTY_DETAILS,
    Batch,
    Decided,
    LedgerRecord,
    UndecodableError,
    command_digest,
    digest,
    encode_body,
)

_SENDERS: dict[type, frozenset[Role]] = {
    Tick: frozenset({Role.GATEWAY, Role.OPS, Role.WORKER}),
    Yield: frozenset({Role.OPS, Role.WORKER}),
    Pin: frozenset({Role.OPS}),
}


class ForeignBatchError(InvariantViolatedError):
    """A commands record of another log: it is never decided. Check which topics this sender writes to."""


class Decision(NamedTuple):
    """The record to append, and what to tell about it once it is accepted."""

    record: LedgerRecord
    decided: Decided
    faults: list[Fault]
    malformed: str
    """Why the record could not be decoded, "" if it could."""


class Seat(NamedTuple):
    """What the protocol's own commands of a batch did."""

    yielded_to: str | None
    pin: str | None


def decide_record(
    fold: Fold[Any], state: Any, sent: Acceptance, command: tuple[int, int, bytes], published: int
) -> Decision:
    """Decide the record at src + 1 on `state`, which evolves. The caller advances `sent` by the result.

    Raises ForeignBatchError for another log's batch, and whatever the fold raises when its state is broken.
    """
    src, timestamp_ms, value = command
    clk = max(sent.clk, timestamp_ms)
    batch, malformed = _decode(fold, sent, value)
    commands: Sequence[Any] = batch.commands() if batch else []
    decision = fold.decide(state, commands, batch.role if batch else Role.GATEWAY, src, clk)
    seat = Seat(None, None)
    if batch:
        seat = _decide_protocol(sent, batch.role, commands, decision.outcomes, clk)
    outcomes = bytes(decision.outcomes) if batch else bytes((Outcome.MALFORMED,))
    decided = Decided(
        src=src,
        cmd_digest=command_digest(timestamp_ms, value),
        clk=clk,
        sender=batch.sender if batch else "",
        number=batch.number if batch else 0,
        outcomes=outcomes,
        yielded_to=seat.yielded_to,
        pin=seat.pin,
        details=decision.details,
    )
    body = encode_body(decided)
    if len(body) > DECIDED_BYTES_MAX:
        message = f"the decision of record {src} takes {len(body)} bytes, more than {DECIDED_BYTES_MAX}"
        raise InvariantViolatedError(message)
    record = LedgerRecord(DECIDED, sent.epoch, sent.nonce, published, digest(sent.digest, body), body)
    return Decision(record, decided, decision.faults, malformed)


def has_facts(decided: Decided) -> bool:
    """Whether anybody could want to hear of this record: not for a tick that found nothing due."""
    return decided.details != EMPTY_DETAILS or any(code != Outcome.TICKED for code in decided.outcomes)


def _decode(fold: Fold[Any], sent: Acceptance, value: bytes) -> tuple[Batch[Any] | None, str]:
    try:
        batch = fold.batches.decode(value)
    except UndecodableError as error:
        return None, str(error)
    if sent.genesis is None or batch.log_id != sent.genesis.log_id:
        message = f"a commands record of {batch.sender} belongs to log {batch.log_id.hex()}, not to this one"
        raise ForeignBatchError(message)
    return batch, ""


def _decide_protocol(sent: Acceptance, role: Role, commands: Sequence[Any], outcomes: bytearray, clk: int) -> Seat:
    """Fill in the outcomes that the fold left at 0: those of the protocol's own commands."""
    yielded_to: str | None = None
    pin: str | None = None
    at = outcomes.find(0)
    while at >= 0:
        command = commands[at]
        if role not in _SENDERS.get(type(command), ()):
            outcome = Outcome.FORBIDDEN
        elif isinstance(command, Yield):
            outcome = Outcome.NOT_YIELDED
            if yielded_to is None and _in_force(sent, command, clk):
                yielded_to = command.to
                outcome = Outcome.YIELDED
        elif isinstance(command, Pin):
            pin = command.worker
            outcome = Outcome.PINNED
        else:
            outcome = Outcome.TICKED
        outcomes[at] = outcome
        at = outcomes.find(0, at + 1)
    return Seat(yielded_to, pin)


def _in_force(sent: Acceptance, command: Yield, clk: int) -> bool:
    """A Yield counts for the epoch it names, in time, and not towards the owner itself."""
    owner = sent.claim.worker if sent.claim else ""
    return command.epoch == sent.epoch and command.to != owner and clk <= command.not_after_ms
