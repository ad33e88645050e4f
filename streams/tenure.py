"""A worker's time as owner of a partition: deciding, sending, and knowing what of it counts (W2-W4, W7).

From the own CLAIM's acceptance to a fence, a yield, or the end of the process.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.outcomes import InvariantViolatedError, Outcome
from streams.acceptance import Acceptance, Verdict
from streams.deciding import decide_record, has_facts
from streams.effects import (
    Alarm,
    Append,
    DeadLetter,
    Effect,
    Exit,
    Publish,
    ReadLedger,
    SeekCommands,
)
from streams.fold import Fold
from streams.outbox import Outbox
from streams.records import (
    DECIDED,
    EMPTY_DETAILS,
    RULING,
    Decided,
    LedgerRecord,
    UndecodableError,
    command_digest,
    digest,
    encode_body,
    encode_fact,
    encode_ledger,
)

WINDOW = 64
"""Unacked decisions at most."""
UNPUBLISHED_MAX = 4_096
"""Accepted records without published facts at which deciding pauses (W7)."""
QUEUE_FULL = 256
"""Records waiting to be decided at which the reader should pause: 256 x 64 KiB = 16 MiB at worst."""
AHEAD_MS = 60_000
"""A record stamped this far ahead of the own clock is not decided: holds would expire before their time (W10)."""
UNKNOWN = -1
"""The offset of an append that the broker acked as a duplicate: appended, place unknown."""
EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h: the supervisor restarts."""


@dataclass(slots=True)
class InFlight:
    """A decision that was sent and is not yet known to be accepted. `offset` is set by its ack."""

    token: int
    record: LedgerRecord
    decided: Decided
    sent_ms: int
    dead: list[DeadLetter]
    offset: int | None = None


class Tenure:
    """`accepted` and `outbox` are the machine's: what counts. `state` is the fold's after everything `sent`."""

    def __init__(
        self, fold: Fold[Any], state: Any, accepted: Acceptance, outbox: Outbox, ask: Callable[[Effect], None]
    ) -> None:
        self.sent = accepted.fork()
        self.next_command = accepted.src + 1
        """Offset of the commands record that the reader should bring next."""
        self.queue: deque[tuple[int, int, bytes]] = deque()
        self.in_flight: deque[InFlight] = deque()
        self.recorded = accepted.published
        """The watermark that the log has, or will have with the last record sent."""
        self._fold = fold
        self._state = state
        self._accepted = accepted
        self._outbox = outbox
        self._ask = ask
        self._last_ack = -1
        self._hole_asked = -1
        self._seek_asked = -1
        self._ahead_alarmed = False
        for pending in outbox.unpublished():
            self._publish(pending.ledger_offset, pending.kind, pending.body)
        ask(SeekCommands(self.next_command))

    def idle(self) -> bool:
        """Nothing queued, nothing on its way."""
        return not self.queue and not self.in_flight

    def over(self) -> bool:
        """A Yield took effect, and everything up to it is accepted."""
        return self.sent.yielded_to is not None and not self.in_flight

    # --- deciding -------------------------------------------------------------------------------------------------

    def submit(self, offset: int, timestamp_ms: int, value: bytes) -> None:
        """Queue a commands record; known ones are ignored, a gap sends the reader back."""
        if offset == self.next_command:
            self.next_command += 1
            self.queue.append((offset, timestamp_ms, value))
        elif offset > self.next_command and self._seek_asked != self.next_command:
            self._seek_asked = self.next_command
            self._ask(SeekCommands(self.next_command))

    def decide(self, now_ms: int, wall_ms: int) -> Append | None:
        """Decide the next queued record; None if there is none or no room. Any exception: the state is broken."""
        if not self.queue or not self._room(wall_ms):
            return None
        command = self.queue.popleft()
        decision = decide_record(self._fold, self._state, self.sent, command, self._outbox.watermark)
        evolved = self._fold.lawful(self._state, decision.decided, evolved=True)
        verdict = self.sent.judge_decision(decision.record, decision.decided, lambda _: evolved)
        if verdict is not Verdict.ACCEPTED:
            message = f"own decision of command {command[0]} would be {verdict.value}"
            raise InvariantViolatedError(message)
        dead = [DeadLetter(*command, f"command {at}: {error}") for at, error in decision.faults]
        for fault in decision.faults:
            self._ask(Alarm("decide.fault", f"command {command[0]}:{fault.index} got FAULT: {fault.error}"))
        if decision.malformed:
            dead.append(DeadLetter(*command, decision.malformed))
        return self._send(decision.record, decision.decided, dead, now_ms)

    def rule(self, operator: str, reason: str, now_ms: int) -> Append | None:
        """Decide the next queued record by hand: every command FAULT. None if there is none."""
        if not self.queue or self.sent.yielded_to is not None:
            return None
        src, timestamp_ms, value = self.queue.popleft()
        try:
            count = len(self._fold.batches.decode(value).commands())
        except UndecodableError:
            count = 1
        sent = self.sent
        outcomes = bytes((Outcome.FAULT,)) * count
        clk = max(sent.clk, timestamp_ms)
        bound = command_digest(timestamp_ms, value)
        decided = Decided(src, bound, clk, "", 0, outcomes, None, None, EMPTY_DETAILS, (operator, reason))
        body = encode_body(decided)
        watermark = self._outbox.watermark
        record = LedgerRecord(RULING, sent.epoch, sent.nonce, watermark, digest(sent.digest, body), body)
        self._fold.apply(self._state, decided)
        sent.advance(record, decided)
        return self._send(record, decided, [DeadLetter(src, timestamp_ms, value, f"ruled: {reason}")], now_ms)

    def _room(self, wall_ms: int) -> bool:
        offset, timestamp_ms, _ = self.queue[0]
        ahead = timestamp_ms > wall_ms + AHEAD_MS
        if ahead and not self._ahead_alarmed:
            self._ask(Alarm("clock.ahead", f"command {offset} is stamped more than 60 s ahead of this clock"))
        self._ahead_alarmed = ahead
        full = len(self.in_flight) >= WINDOW or len(self._outbox) >= UNPUBLISHED_MAX
        return not (ahead or full or self.sent.yielded_to is not None)

    def _send(self, record: LedgerRecord, decided: Decided, dead: list[DeadLetter], now_ms: int) -> Append:
        token = decided.src << 32 | record.epoch
        self.in_flight.append(InFlight(token, record, decided, now_ms, dead))
        self.recorded = record.published
        return Append(token, encode_ledger(record), decided.outcomes)

    # --- knowing what counts ----------------------------------------------------------------------------------------

    def appended(self, token: int, offset: int) -> None:
        """The ack of a decision, in order of sending."""
        if offset != UNKNOWN:
            if offset <= self._last_ack:
                self._ask(Exit(EXIT_CODE, f"ack {offset} after {self._last_ack}: the ledger went backwards"))
                return
            self._last_ack = offset
        for entry in self.in_flight:
            if entry.token == token:
                entry.offset = offset
                break
        self.settle()

    def echo(self, offset: int, record: LedgerRecord, value: bytes) -> Verdict:
        """A ledger record that no ack has accounted for: it lies in a hole, or was faster than its own ack."""
        sent = self.sent
        own = record.kind in {DECIDED, RULING} and record.epoch == sent.epoch and record.nonce == sent.nonce
        if own and self.in_flight and self.in_flight[0].record.digest == record.digest:
            self._accepted.offset = offset
            self._accept()
            self.settle()
            return Verdict.ACCEPTED
        verdict, _ = self._accepted.judge(offset, record, value, lambda _: not own)
        if own and verdict is not Verdict.DUPLICATE:
            self._ask(Exit(EXIT_CODE, f"ledger record {offset} carries the own nonce, but is not the own decision"))
        elif verdict is not Verdict.CLAIMED:
            self.settle()
        return verdict

    def settle(self) -> None:
        """Accept what lies without a hole behind the last accepted record; ask for what lies in a hole."""
        flight = self.in_flight
        accepted = self._accepted
        while flight and flight[0].offset == accepted.offset + 1:
            accepted.offset += 1
            self._accept()
        head = flight[0].offset if flight else None
        if head is None or head == UNKNOWN:
            return
        if head <= accepted.offset:
            self._ask(Exit(EXIT_CODE, f"own record at {head} was not accepted there"))
        elif head > self._hole_asked:
            self._hole_asked = head
            self._ask(ReadLedger(accepted.offset + 1, head))

    def _accept(self) -> None:
        """The oldest decision on its way is accepted at `accepted.offset`: now, and not before, others may hear."""
        entry = self.in_flight.popleft()
        record = entry.record
        offset = self._accepted.offset
        self._accepted.advance(record, entry.decided)
        silent = not has_facts(entry.decided)
        self._outbox.accepted(offset, record.kind, record.body, entry.sent_ms, silent=silent)
        if not silent:
            self._publish(offset, record.kind, record.body)
        for letter in entry.dead:
            self._ask(letter)

    def _publish(self, offset: int, kind: int, body: bytes) -> None:
        self._ask(Publish(offset, encode_fact(kind, offset, body)))
