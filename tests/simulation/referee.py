"""The referee of one partition: sees every record at the moment it is appended, and believes nobody."""

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.outcomes import REPEATED, Outcome
from domain.stock import Repeat, Reserve
from streams.acceptance import Acceptance, Verdict
from streams.deciding import decide_record, has_facts
from streams.protocol import Tick
from streams.records import (
    CLAIM,
    DECIDED,
    RULING,
    Batch,
    Decided,
    LedgerRecord,
    UndecodableError,
    command_digest,
    decode_fact,
    decode_ledger,
    encode_fact,
)
from streams.stock_records import BATCHES, decode_details
from streams.takeover import PARK_CLAIMS
from tests.simulation.gateway import Answer
from tests.simulation.operator import BREAKS
from tests.simulation.rows import Rows, RowsViolatedError

if TYPE_CHECKING:
    from tests.simulation.world import World

FORGOTTEN = frozenset(
    {
        Outcome.MALFORMED,
        Outcome.FORBIDDEN,
        Outcome.FAULT,
        Outcome.KEY_REUSED,
        Outcome.TOO_LATE,
        Outcome.UNKNOWN_SKU,
        Outcome.BUSY,
        Outcome.GONE,
    }
)
"""Outcomes of a Reserve that leave its key a new question (GONE: there is a tombstone, for 15 minutes)."""
REFUSAL_MEMORY_MS = 120_000
TICKS_MAX = 3
"""Undecided ticks of one sender: one in flight, one that a failed producer left, one of the life before."""


class Told(NamedTuple):
    """An accepted record as its facts tell it."""

    ledger_offset: int
    decided: Decided
    repeats: dict[int, Repeat]
    changes: list[Any]


class First(NamedTuple):
    """The first answer of a key."""

    outcome: int
    offset: int
    index: int
    fingerprint: bytes
    clk: int


class Referee:
    """Keeps its own acceptance state, its own fold state (by deciding again), its own rows."""

    def __init__(self, world: "World", partition: int) -> None:
        self.world = world
        self.partition = partition
        self.acceptance: Acceptance = world.mutation.acceptance()
        self.fold = world.fold
        self.state = self.fold.new_state(partition)
        self.rows = Rows(world.weather.limit)
        self.commands = world.commands[partition]
        self.batches: list[Batch[Any] | None] = []
        self.first: dict[bytes, First] = {}
        self.buried: dict[bytes, int] = {}
        self.src = 0
        self.accepted: dict[int, bytes] = {}
        """Facts by ledger offset."""
        self.unpublished: dict[int, None] = {}
        """Ledger offsets of accepted records whose facts must still come."""
        self.newest_fact = -1
        self._fact_seen: set[int] = set()
        self._ticks: dict[str, list[int]] = {}
        self.claims_ms: list[int] = []
        world.ledgers[partition].watchers.append(self.on_ledger)
        world.commands[partition].watchers.append(self.on_command)
        world.events[partition].watchers.append(self.on_fact)

    def _bad(self, kind: str, detail: object) -> None:
        self.world.violated(kind, f"partition {self.partition}: {detail}")

    # --- commands -------------------------------------------------------------------------------------------------

    def on_command(self, offset: int) -> None:
        """Ticks do not pile up."""
        value = self.commands.records[offset][1]
        try:
            batch = BATCHES.decode(value)
        except UndecodableError:
            self.batches.append(None)
            return
        self.batches.append(batch)
        commands = batch.commands()
        if any(type(command) is Reserve and command.sku == BREAKS for command in commands):
            self.world.on_poisoned(self.partition, offset)
        if type(commands[0]) is Tick:
            self.world.count("ticks")
            pending = [at for at in self._ticks.get(batch.sender, []) if at > self.src]
            pending.append(offset)
            self._ticks[batch.sender] = pending
            if len(pending) > TICKS_MAX:
                self._bad("tick storm", f"{len(pending)} undecided ticks of {batch.sender}")

    # --- ledger ---------------------------------------------------------------------------------------------------

    def on_ledger(self, offset: int) -> None:
        """Judge, decide again, compare."""
        _, value = self.world.ledgers[self.partition].records[offset]
        record = decode_ledger(value)
        before = copy(self.acceptance)
        verdict, decided = self.acceptance.judge(offset, record, value, self._lawful)
        self.world.count(verdict.value)
        if verdict in {Verdict.BROKEN, Verdict.AHEAD, Verdict.DIVERGENT}:
            self._bad(f"a record judged {verdict.value}", f"at {offset}: {record.kind} {decided}")
        if verdict is Verdict.CLAIMED:
            self._claimed(before, record)
        elif verdict is Verdict.ACCEPTED and decided is not None:
            self._accepted(offset, before, record, decided)
        elif record.kind == CLAIM:
            self.world.note(f"a claim of {self.partition} at {offset} lost")

    def _lawful(self, decided: Decided) -> bool:
        return self.fold.lawful(self.state, decided, evolved=False)

    def _claimed(self, before: Acceptance, record: LedgerRecord) -> None:
        claim = self.acceptance.claim
        assert claim is not None
        self.claims_ms.append(self.world.now_ms)
        self.world.note(f"{claim.incarnation} owns {self.partition} at epoch {record.epoch}: {claim.reason}")
        kind = claim.reason.split(" ")[0].rstrip(",")
        self.world.count(f"claims: {kind}")
        if before.claim and before.claim.worker != claim.worker:
            self.world.count("moves")
        if self.acceptance.claims_here >= PARK_CLAIMS:
            self.world.count("parked")

    def _accepted(self, offset: int, before: Acceptance, record: LedgerRecord, decided: Decided) -> None:
        world = self.world
        if decided.src != self.src + 1:
            self._bad("a command decided twice, or never", f"src {decided.src} after {self.src} at {offset}")
        if decided.src >= self.commands.end:
            self._bad("a decision without a command", f"src {decided.src}")
        timestamp_ms, value = self.commands.records[decided.src]
        if decided.cmd_digest != command_digest(timestamp_ms, value):
            self._bad("a decision of another command", decided)
        self.src = decided.src
        if record.kind == DECIDED and world.mutation.replays:
            self._replay(before, record, (decided.src, timestamp_ms, value))
        else:
            self.fold.apply(self.state, decided)
        if record.kind == RULING:
            world.count("rulings")
        details = decode_details(decided.details)
        changes = [change for run in details.changes for change in run.items]
        try:
            self.rows.fold(decided.clk, changes, details.totals)
        except RowsViolatedError as error:
            self._bad("the rows do not add up", f"at {offset}: {error}")
        repeats = {repeat.index: repeat for repeat in details.repeats}
        told = Told(offset, decided, repeats, changes)
        self._answers(told)
        fact = encode_fact(record.kind, offset, record.body)
        self.accepted[offset] = fact
        world.facts[fact] = told
        if has_facts(decided):
            self.unpublished[offset] = None
        self._count_outcomes(decided, changes)

    def _replay(self, before: Acceptance, record: LedgerRecord, command: tuple[int, int, bytes]) -> None:
        again = decide_record(self.fold, self.state, before, command, record.published)
        if again.record.body != record.body:
            self._bad("decided otherwise", f"{again.decided}, not {record.body!r}")

    def _count_outcomes(self, decided: Decided, changes: list[Any]) -> None:
        count = self.world.count
        for code in decided.outcomes:
            name = Outcome(code & ~REPEATED).label
            count(f"outcome: {name}")
            if code & REPEATED:
                count("answers repeated")
        for change in changes:
            count(f"change: {type(change).__name__}")

    def _answers(self, told: Told) -> None:
        """First answers are kept, later ones are the same."""
        decided = told.decided
        batch = self.batches[decided.src]
        if batch is None or decided.note is not None:
            return
        for index, command in enumerate(batch.commands()):
            if type(command) is Reserve:
                self._answer(told, index, command, decided.outcomes[index])

    def _answer(self, told: Told, index: int, command: Reserve, code: int) -> None:
        decided = told.decided
        outcome = code & ~REPEATED
        first = self.first.get(command.hold)
        if first and first.outcome != Outcome.GRANTED and decided.clk - first.clk > REFUSAL_MEMORY_MS:
            first = None
        if outcome in FORGOTTEN:
            wrong = code & REPEATED or (first and first.fingerprint == command.fingerprint and outcome != Outcome.FAULT)
            if outcome == Outcome.GONE:
                self.buried[command.hold] = decided.clk
        elif first is None:
            wrong = code & REPEATED or command.hold in self.buried
            self.first[command.hold] = First(outcome, decided.src, index, command.fingerprint, decided.clk)
        else:
            repeat = told.repeats.get(index)
            wrong = (
                not code & REPEATED
                or outcome != first.outcome
                or repeat is None
                or (repeat.offset, repeat.position) != (first.offset, first.index)
            )
        if wrong:
            self._bad("answers of a key contradict", f"{command} got {code} at src {decided.src}, first {first}")

    def told(self, hold: bytes, answer: Answer) -> None:
        """A client was told this."""
        first = self.first.get(hold)
        if answer.outcome == Outcome.GONE:
            if hold not in self.buried:
                self._bad("a false answer", f"{hold.hex()} was told {answer}")
        elif first is None or (first.outcome, self.partition, first.offset, first.index) != (
            answer.outcome,
            *answer.receipt,
        ):
            self._bad("a false answer", f"{hold.hex()} was told {answer}, first was {first}")

    # --- facts ----------------------------------------------------------------------------------------------------

    def on_fact(self, offset: int) -> None:
        """Only what was accepted, in the ledger's order the first time."""
        value = self.world.events[self.partition].records[offset][1]
        fact = decode_fact(value)
        if self.accepted.get(fact.ledger_offset) != value:
            self._bad("a false fact", f"of ledger offset {fact.ledger_offset}")
        if fact.ledger_offset in self._fact_seen:
            self.world.count("facts published again")
            return
        if fact.ledger_offset < self.newest_fact:
            self._bad("facts out of order", f"{fact.ledger_offset} after {self.newest_fact}")
        if next(iter(self.unpublished), fact.ledger_offset) < fact.ledger_offset:
            self._bad("a fact left out", f"{next(iter(self.unpublished))} before {fact.ledger_offset}")
        self._fact_seen.add(fact.ledger_offset)
        self.newest_fact = fact.ledger_offset
        self.unpublished.pop(fact.ledger_offset, None)
