"""What a partition's ledger says happened: accepted decisions with their commands and times, and the claims between."""

from typing import NamedTuple

from ops.audit.source import Entry, Source, Stream
from streams.acceptance import Acceptance, Verdict
from streams.protocol import PROTOCOL_COMMANDS
from streams.records import Batch, Claim, Decided, UndecodableError, decode_ledger
from streams.stock_records import BATCHES, StockCommand, StockDetails, decode_details

PROTOCOL = frozenset(PROTOCOL_COMMANDS.values())


class Decision(NamedTuple):
    """One accepted record. `sent_ms`: log time of the command record, `at_ms`: of the decision; `batch` None: gone."""

    offset: int
    at_ms: int
    sent_ms: int
    decided: Decided
    details: StockDetails
    batch: Batch[StockCommand] | None


class Ownership(NamedTuple):
    """One accepted CLAIM; `src` = the last one decided before it."""

    offset: int
    at_ms: int
    epoch: int
    src: int
    claim: Claim


class History(NamedTuple):
    """One partition's. `waiting` = commands without an accepted decision; workers' ticks and yields do not count."""

    partition: int
    decisions: list[Decision]
    claims: list[Ownership]
    waiting: int


def read(source: Source, partition: int) -> History:
    """Judge the whole ledger by the rules that all readers share. The auditor judges it by its own."""
    commands = {entry.offset: entry for entry in source.read(Stream.COMMANDS, partition)}
    acceptance = Acceptance()
    decisions: list[Decision] = []
    claims: list[Ownership] = []
    for offset, at_ms, value in source.read(Stream.LEDGER, partition):
        src = acceptance.src
        verdict, decided = acceptance.judge(offset, decode_ledger(value), value, lambda _: True)
        if verdict is Verdict.CLAIMED and acceptance.claim is not None:
            claims.append(Ownership(offset, at_ms, acceptance.epoch, src, acceptance.claim))
        elif verdict is Verdict.ACCEPTED and decided is not None:
            decisions.append(_decision(offset, at_ms, decided, commands.get(decided.src)))
    waiting = sum(_asked(entry) for entry in commands.values() if entry.offset > acceptance.src)
    return History(partition, decisions, claims, waiting)


def _decision(offset: int, at_ms: int, decided: Decided, command: Entry | None) -> Decision:
    details = decode_details(decided.details)
    if command is None:
        return Decision(offset, at_ms, at_ms, decided, details, None)
    try:
        batch = BATCHES.decode(command.value)
    except UndecodableError:
        batch = None
    return Decision(offset, at_ms, command.timestamp_ms, decided, details, batch)


def _asked(command: Entry) -> int:
    """How many commands somebody waits for: those of the fold, and a record that nobody can decode."""
    try:
        commands = BATCHES.decode(command.value).commands()
    except UndecodableError:
        return 1
    return sum(1 for one in commands if type(one) not in PROTOCOL)


def longest_gap_s(history: History, from_ms: int) -> float:
    """The longest that the partition stood still while a command waited, by ledger time, from then on.

    From the later of the decision before and the arrival of the command, to its decision.
    """
    longest = 0
    before_ms = from_ms
    for decision in history.decisions:
        if decision.at_ms >= from_ms:
            longest = max(longest, decision.at_ms - max(before_ms, decision.sent_ms))
            before_ms = decision.at_ms
    return longest / 1000
