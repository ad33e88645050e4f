"""The partition machine: one worker's part in one ledger partition, without any IO (rules W1-W10).

Inputs are ledger records, command records, acks, clock ticks and the group's plan; outputs are effects, taken with
`take()`. The worker's shell and the simulator drive the same class. Generic over the fold.

                start            folded to the end          own CLAIM accepted
        (new) -------> COLD ------------------------> WARM ---------------------> OWNER
                        ^                              ^  own Yield, all acked      |
                        |                              +----------------------------+
                        +---- fenced with decisions on their way, or state broken --+

Its parts: acceptance (what counts), tenure (being the owner), vigil (what time asks for), outbox (facts), standstill
(while a snapshot is taken).
"""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from domain.outcomes import InvariantViolatedError
from streams.acceptance import NO_EPOCH, Acceptance, Verdict
from streams.deciding import ForeignBatchError, has_facts
from streams.effects import (
    Alarm,
    Append,
    AppendClaim,
    Effect,
    ReadLedger,
    Rebuild,
    Role,
    RoleChanged,
    SeekLedger,
    Seen,
    StopCommands,
)
from streams.fold import Fold
from streams.head import Head
from streams.outbox import Outbox
from streams.records import (
    CLAIM,
    DIGEST_BYTES,
    NONCE_BYTES,
    Claim,
    Decided,
    LedgerRecord,
    UndecodableError,
    decode_ledger,
    encode_body,
    encode_ledger,
)
from streams.standstill import Standstill
from streams.takeover import TakeoverClock
from streams.tenure import UNKNOWN, Tenure
from streams.vigil import Vigil


class Member(NamedTuple):
    """Who runs the machine. `incarnation` = "worker@unique", one a process; it is the id in the consumer group."""

    worker: str
    incarnation: str
    code: str


class PartitionMachine:
    """See the module. `rng` gives nonces and jitter: random.SystemRandom() in a worker, a seeded one in a simulation.

    `log_id`: the log this program was started for; b"" takes the ledger's word for it.
    """

    def __init__(
        self, fold: Fold[Any], partition: int, me: Member, rng: Random, takeover_ms: int = 500, log_id: bytes = b""
    ) -> None:
        self.fold = fold
        self.partition = partition
        self.me = me
        self.log_id = log_id
        self.role = Role.COLD
        self.accepted = Acceptance()
        self.state: Any = fold.new_state(partition)
        self.outbox = Outbox()
        self.takeover = TakeoverClock(takeover_ms, rng)
        self.tenure: Tenure | None = None
        self.claiming: tuple[bytes, bytes] | None = None
        """Nonce and bytes of the own CLAIM that is on its way."""
        self.commands_end = 0
        """One past the newest command record that this worker has heard of."""
        self.commands_newest_ms = 0
        self.counts: Counter[str] = Counter()
        self.now_ms = 0
        self.wall_ms = 0
        self.newest: tuple[int, bytes] | None = None
        """The last ledger record that was folded here, if this is known: the owner knows its own by their acks."""
        self.restored = False
        """The state began with a snapshot."""
        self.vigil = Vigil(self)
        self.standstill = Standstill(self)
        self._rng = rng
        self._effects: list[Effect] = []
        self._seek_asked = -1

    # --- queries --------------------------------------------------------------------------------------------------

    @property
    def ledger_next(self) -> int:
        """The ledger offset that `on_ledger` wants next."""
        return self.accepted.offset + 1

    @property
    def next_command(self) -> int:
        """The commands offset to be decided next."""
        return (self.tenure.sent.src if self.tenure else self.accepted.src) + 1

    @property
    def queued(self) -> int:
        """Command records waiting to be decided here; over `tenure.QUEUE_FULL` the reader should pause."""
        return len(self.tenure.queue) if self.tenure else 0

    @property
    def published(self) -> int:
        """Ledger offset up to which all facts are known to be published."""
        return self.outbox.watermark

    def take(self) -> list[Effect]:
        """The effects asked for since the last call, in order."""
        effects, self._effects = self._effects, []
        return effects

    def ask(self, effect: Effect) -> None:
        """Add an effect (for the machine's parts)."""
        self._effects.append(effect)

    # --- time and plan (streams/vigil.py) -----------------------------------------------------------------------------

    def on_clock(self, now_ms: int, wall_ms: int) -> None:
        """Every 25 ms: own monotonic and wall time."""
        self.vigil.on_clock(now_ms, wall_ms)

    def on_plan(self, assigned: bool, members: frozenset[str] | None) -> None:  # noqa: FBT001 - a plain flag of the plan
        """What the consumer group plans: is this partition ours, and which incarnations live (None = unknown)."""
        self.vigil.on_plan(members, assigned=assigned)

    def on_seen(self, seen: Seen) -> None:
        """The answer to a Look."""
        self.vigil.on_seen(seen)

    def on_command_appended(self, token: int, offset: int | None) -> None:
        """The end of an AppendCommand; None if it failed."""
        self.vigil.on_command_appended(token, offset)

    def hand_over(self, to: str) -> None:
        """Yield to that worker ("" = nobody in particular), if this one owns."""
        self.vigil.hand_over(to)

    # --- following the ledger -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or begin again, from nothing."""
        self._drop("start")

    def restore(self, head: Head, state: Any) -> None:
        """Go on from a snapshot instead of from nothing. InvariantViolatedError if it is another partition's."""
        if self.role is not Role.COLD or self.accepted.offset >= 0:
            return
        self.accepted = head.accepted
        self._check_genesis()
        self.state = state
        self.outbox = head.outbox(self.now_ms)
        self.takeover.recall(head.last_claim_ms, head.disturbances)
        self.restored = True

    def on_caught_up(self, ledger_end: int) -> None:
        """Everything below `ledger_end`, the end when the rebuild began, was fed."""
        if self.role is Role.COLD and self.ledger_next >= ledger_end:
            self.takeover.restart(self.now_ms)
            self._become(Role.WARM, f"folded to {self.accepted.offset}")
            self.ask(SeekLedger(self.ledger_next))

    def on_ledger(self, offset: int, timestamp_ms: int, value: bytes) -> None:
        """A ledger record; what is folded already is ignored, a hole is never folded over."""
        if self.role is Role.STOPPED or offset < self.ledger_next:
            return
        if self.standstill.on:
            self.standstill.overhear(offset, value)
            return
        if offset > self.ledger_next:
            if self.role is not Role.COLD and self._seek_asked != self.ledger_next:
                self._seek_asked = self.ledger_next
                self.ask(SeekLedger(self.ledger_next))
            return
        try:
            record = decode_ledger(value)
        except UndecodableError as error:
            self.accepted.offset = offset
            self.newest = offset, value
            self._dropped(Verdict.BROKEN, offset, str(error))
            if self.tenure:
                self.tenure.settle()
            return
        try:
            if self.tenure:
                self._echo(self.tenure, offset, timestamp_ms, record, value)
            else:
                self._fold(offset, timestamp_ms, record, value)
        except Exception as error:  # noqa: BLE001 - W10: a fold that fails stops this partition, not the others
            problem = f"ledger offset {offset} cannot be folded: {error!r}"
            if self.restored and not self.tenure:
                self._drop(f"the state of a snapshot is in doubt: {problem}", afresh=True)
            else:
                self.stop(problem)

    def _fold(self, offset: int, timestamp_ms: int, record: LedgerRecord, value: bytes) -> None:
        yielded = self.accepted.yielded_to is not None
        verdict, decided = self.accepted.judge(offset, record, value, self._lawful)
        self.newest = offset, value
        if verdict is Verdict.ACCEPTED and decided is not None:
            heard_ms = self.standstill.heard_ms(offset)
            self.fold.apply(self.state, decided)
            self.outbox.accepted(offset, record.kind, record.body, heard_ms, silent=not has_facts(decided))
            self.outbox.recorded(record.published)
            self.takeover.decided(heard_ms)
        elif verdict is Verdict.CLAIMED:
            self._claimed(timestamp_ms, record, follows_yield=yielded)
        elif verdict is Verdict.GENESIS:
            self._check_genesis()
        elif verdict is Verdict.BROKEN and self.restored and decided is not None and self._follows(record, decided):
            message = f"src {decided.src} follows, and its totals do not: {decided.details!r}"
            raise InvariantViolatedError(message)
        else:
            self._dropped(verdict, offset)
            if self.claiming and record.nonce == self.claiming[0]:
                self.claiming = None
                self.takeover.lost(self.now_ms)

    def _echo(self, tenure: Tenure, offset: int, timestamp_ms: int, record: LedgerRecord, value: bytes) -> None:
        yielded = self.accepted.yielded_to is not None
        verdict = tenure.echo(offset, record, value)
        if verdict is Verdict.CLAIMED:
            self._fenced(tenure, record)
            self._claimed(timestamp_ms, record, follows_yield=yielded)
        elif verdict is not Verdict.ACCEPTED:
            self._dropped(verdict, offset)
        self._end_if_yielded(tenure)

    def _lawful(self, decided: Decided) -> bool:
        return self.fold.lawful(self.state, decided, evolved=False)

    def _follows(self, record: LedgerRecord, decided: Decided) -> bool:
        """Whether its owner decided it on what is accepted here."""
        return decided.src == self.accepted.src + 1 and self.accepted.chains(record)

    def _check_genesis(self) -> None:
        genesis = self.accepted.genesis
        if genesis is None or genesis.partition != self.partition or (self.log_id and genesis.log_id != self.log_id):
            message = f"the ledger belongs to another log or partition: {genesis}"
            raise InvariantViolatedError(message)

    def _dropped(self, verdict: Verdict, offset: int, why: str = "") -> None:
        self.counts[verdict.value] += 1
        if verdict in {Verdict.DIVERGENT, Verdict.BROKEN, Verdict.AHEAD}:
            self.ask(Alarm(f"ledger.{verdict.value}", f"ledger record {offset} was dropped as {verdict.value} {why}"))

    # --- becoming owner (W1) ------------------------------------------------------------------------------------------

    def claim(self, reason: str) -> None:
        """Append a CLAIM for the next epoch. The caller has looked afresh and found the logs to fit (W1, W9)."""
        if self.role is not Role.WARM or self.claiming or self.standstill.on:
            return
        waiting = self.commands_end > self.accepted.src + 1
        body = encode_body(Claim(*self.me, waiting, reason))
        nonce = self._rng.randbytes(NONCE_BYTES)
        epoch = self.accepted.epoch + 1
        value = encode_ledger(LedgerRecord(CLAIM, epoch, nonce, self.published, bytes(DIGEST_BYTES), body))
        self.claiming = (nonce, value)
        self.counts["claimed"] += 1
        self.ask(AppendClaim(nonce, value))

    def on_claim_appended(self, nonce: bytes, offset: int) -> None:
        """The CLAIM's ack: fold to it at once instead of waiting for the tail."""
        if not self.claiming or self.claiming[0] != nonce or offset == UNKNOWN:
            return
        if offset == self.ledger_next:
            self.on_ledger(offset, self.wall_ms, self.claiming[1])
        else:
            self.ask(ReadLedger(self.ledger_next, offset + 1))

    def _claimed(self, timestamp_ms: int, record: LedgerRecord, *, follows_yield: bool) -> None:
        disturbing = not follows_yield and record.epoch > NO_EPOCH + 1
        self.takeover.claimed(self.now_ms, timestamp_ms, disturbing=disturbing)
        if self.claiming and record.nonce == self.claiming[0]:
            self.claiming = None
            self._own()

    def _own(self) -> None:
        self.counts["owned"] += 1
        self.counts["republished"] += len(self.outbox)
        self._become(Role.OWNER, f"epoch {self.accepted.epoch}, from command {self.accepted.src + 1}")
        self.tenure = Tenure(self.fold, self.state, self.accepted, self.outbox, self.ask)

    # --- being owner (streams/tenure.py) ------------------------------------------------------------------------------

    def submit(self, offset: int, timestamp_ms: int, value: bytes) -> None:
        """A commands record, from whichever reader. Only the owner keeps it, and only without a gap."""
        if offset >= self.commands_end:
            self.commands_end = offset + 1
            self.commands_newest_ms = timestamp_ms
        if self.tenure:
            self.tenure.submit(offset, timestamp_ms, value)

    def decide(self) -> Append | None:
        """The next decision to append, None if there is nothing to decide or no room for it now."""
        return self._deciding(lambda tenure: tenure.decide(self.now_ms, self.wall_ms))

    def rule(self, operator: str, reason: str) -> Append | None:
        """The operator's RULING on the next queued record: every command FAULT."""
        return self._deciding(lambda tenure: tenure.rule(operator, reason, self.now_ms))

    def _deciding(self, step: Callable[[Tenure], Append | None]) -> Append | None:
        if self.tenure is None:
            return None
        try:
            return step(self.tenure)
        except ForeignBatchError as error:
            self._fail("commands.foreign", str(error))
        except Exception as error:  # noqa: BLE001 - W10: the state may be half evolved: stop this partition only
            self._fail("fold.failed", f"command {self.next_command} breaks the fold: {error!r}")
        return None

    def on_appended(self, token: int, offset: int) -> None:
        """The ack of a decision, in order of sending; -1 = appended, place unknown."""
        if self.tenure:
            tenure = self.tenure
            tenure.appended(token, offset)
            self._end_if_yielded(tenure)

    def on_published(self, ledger_offset: int) -> None:
        """The facts of this ledger record are on the events topic."""
        self.outbox.acked(ledger_offset)

    # --- ways down ---------------------------------------------------------------------------------------------------

    def _fenced(self, tenure: Tenure, record: LedgerRecord) -> None:
        """Somebody else owns. The state is still the accepted one if nothing undecided is on its way."""
        self.counts["fenced"] += 1
        self.tenure = None
        self.ask(StopCommands())
        if tenure.sent.src == self.accepted.src:
            self._become(Role.WARM, f"fenced by epoch {record.epoch}")
        else:
            self._drop(f"fenced by epoch {record.epoch}")

    def _end_if_yielded(self, tenure: Tenure) -> None:
        if self.tenure is tenure and tenure.over():
            self.tenure = None
            self.counts["yielded"] += 1
            self.takeover.restart(self.now_ms)
            self.ask(StopCommands())
            self._become(Role.WARM, f"yielded to {tenure.sent.yielded_to or 'nobody in particular'}")

    def _fail(self, action: str, message: str) -> None:
        """Deciding broke the state: this partition is rebuilt and claimed again, until it is parked."""
        self.counts["failed"] += 1
        self.ask(Alarm(action, message))
        self.ask(StopCommands())
        self._drop(message)

    def _drop(self, reason: str, *, afresh: bool = False) -> None:
        """Forget everything and fold again: from the beginning if `afresh`, else from a snapshot if there is one."""
        self.tenure = None
        self.claiming = None
        self.accepted = Acceptance()
        self.state = self.fold.new_state(self.partition)
        self.outbox = Outbox()
        self.takeover.forget_claims()
        self.newest = None
        self.restored = False
        self.standstill = Standstill(self)
        self._seek_asked = -1
        self._become(Role.COLD, reason)
        self.ask(Rebuild(afresh=afresh))

    def stop(self, message: str) -> None:
        """The log contradicts itself, or the code: nothing more is done here until the process restarts."""
        if self.tenure:
            self.ask(StopCommands())
        self.tenure = None
        self.claiming = None
        self.standstill.on = False
        self._become(Role.STOPPED, message)
        self.ask(Alarm("partition.stopped", f"partition {self.partition} stands still: {message}"))

    def _become(self, role: Role, reason: str) -> None:
        self.role = role
        self.ask(RoleChanged(role, reason))
