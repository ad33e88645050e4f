"""The referee of one partition: sees every record at the moment it is appended, and believes nobody.

The same for every ledger: acceptance, deciding again, facts, ticks. What a fold promises is for its own referee.
"""

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from domain.outcomes import REPEATED, Outcome
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
    decode_ledger,
)
from streams.takeover import PARK_CLAIMS

if TYPE_CHECKING:
    from tests.simulation.part import Part
    from tests.simulation.world import World

TICKS_MAX = 3
"""Undecided ticks of one sender: one in flight, one that a failed producer left, one of the life before.

One more for each life before that: nothing may be decided for longer than a process lives."""
Place = tuple[int, int]
"""Of a fact: ledger offset, and its place among the record's."""


class Accepted(NamedTuple):
    """An accepted record, and the state before it is gone: the referee's is the one after it."""

    offset: int
    record: LedgerRecord
    decided: Decided


class Referee:
    """Keeps its own acceptance state and its own fold state (by deciding again)."""

    def __init__(self, world: "World", part: "Part") -> None:
        self.world = world
        self.part = part
        self.acceptance: Acceptance = world.mutation.acceptance()
        self.fold = part.fold
        self.state: Any = self.fold.new_state(part.partition)
        self.commands = part.commands
        self.batches: list[Batch[Any] | None] = []
        self.src = 0
        self.accepted: dict[bytes, Place] = {}
        """Where each fact stands."""
        self.unpublished: dict[Place, None] = {}
        """Facts of accepted records that must still come."""
        self.newest_fact: Place = (-1, 0)
        self._fact_seen: set[Place] = set()
        self._ticks: dict[str, list[tuple[int, int]]] = {}
        """By sender: offset, and which of its lives appended it."""
        self.claims_ms: list[int] = []
        part.ledger.watchers.append(self.on_ledger)
        part.commands.watchers.append(self.on_command)
        part.events.watchers.append(self.on_fact)
        self.on_command(0)
        self.on_ledger(0)

    def bad(self, kind: str, detail: object) -> None:
        """End the run."""
        self.world.violated(kind, f"{self.part.name}: {detail}")

    # --- what a fold's own referee adds -------------------------------------------------------------------------------

    def on_batch(self, offset: int, commands: list[Any]) -> None:
        """A batch was appended."""

    def on_accepted(self, accepted: Accepted) -> list[tuple[bytes, Any]]:
        """The facts of the record, in order: each record of the events log, and what it tells."""
        raise NotImplementedError

    def restless(self) -> str:
        """What in the state is still going on; "" if nothing."""
        raise NotImplementedError

    def portrait(self, state: Any) -> Any:
        """All that matters of a state, in a comparable form."""
        raise NotImplementedError

    def stands(self) -> dict[Any, str]:
        """What a view should say at the end."""
        raise NotImplementedError

    # --- commands -------------------------------------------------------------------------------------------------

    def on_command(self, offset: int) -> None:
        """Ticks do not pile up."""
        value = self.commands.records[offset][1]
        try:
            batch = self.fold.batches.decode(value)
        except UndecodableError:
            self.batches.append(None)
            return
        self.batches.append(batch)
        commands = batch.commands()
        self.on_batch(offset, commands)
        if type(commands[0]) is Tick:
            self.world.count("ticks")
            pending = [tick for tick in self._ticks.get(batch.sender, []) if tick[0] > self.src]
            pending.append((offset, self.world.life_of(batch.sender)))
            self._ticks[batch.sender] = pending
            if len(pending) > max(TICKS_MAX, 1 + len({life for _, life in pending})):
                self.bad("tick storm", f"{len(pending)} undecided ticks of {batch.sender}")

    # --- ledger ---------------------------------------------------------------------------------------------------

    def on_ledger(self, offset: int) -> None:
        """Judge, decide again, compare."""
        _, value = self.part.ledger.records[offset]
        record = decode_ledger(value)
        before = copy(self.acceptance)
        verdict, decided = self.acceptance.judge(offset, record, value, self._lawful)
        self.world.count(verdict.value)
        if verdict in {Verdict.BROKEN, Verdict.AHEAD, Verdict.DIVERGENT}:
            self.bad(f"a record judged {verdict.value}", f"at {offset}: {record.kind} {decided}")
        if verdict is Verdict.CLAIMED:
            self._claimed(before, record)
        elif verdict is Verdict.ACCEPTED and decided is not None:
            self._accepted(offset, before, record, decided)
        elif record.kind == CLAIM:
            self.world.note(f"a claim of {self.part.name} at {offset} lost")

    def _lawful(self, decided: Decided) -> bool:
        return self.fold.lawful(self.state, decided, evolved=False)

    def _claimed(self, before: Acceptance, record: LedgerRecord) -> None:
        claim = self.acceptance.claim
        assert claim is not None
        self.claims_ms.append(self.world.now_ms)
        self.world.note(f"{claim.incarnation} owns {self.part.name} at epoch {record.epoch}: {claim.reason}")
        kind = claim.reason.split(" ")[0].rstrip(",")
        self.world.count(f"claims: {kind}")
        if before.claim and before.claim.worker != claim.worker:
            self.world.count("moves")
        if self.acceptance.claims_here >= PARK_CLAIMS:
            self.world.count("parked")

    def _accepted(self, offset: int, before: Acceptance, record: LedgerRecord, decided: Decided) -> None:
        world = self.world
        if decided.src != self.src + 1:
            self.bad("a command decided twice, or never", f"src {decided.src} after {self.src} at {offset}")
        if decided.src >= self.commands.end:
            self.bad("a decision without a command", f"src {decided.src}")
        timestamp_ms, value = self.commands.records[decided.src]
        if decided.cmd_digest != command_digest(timestamp_ms, value):
            self.bad("a decision of another command", decided)
        self.src = decided.src
        if record.kind == DECIDED and world.mutation.replays:
            self._replay(before, record, (decided.src, timestamp_ms, value))
        else:
            self.fold.apply(self.state, decided)
        if record.kind == RULING:
            world.count("rulings")
        facts = self.on_accepted(Accepted(offset, record, decided))
        published = has_facts(decided)
        for index, (fact, told) in enumerate(facts):
            self.accepted[fact] = (offset, index)
            world.facts[fact] = told
            if published:
                self.unpublished[offset, index] = None
        self._count_outcomes(decided)

    def _replay(self, before: Acceptance, record: LedgerRecord, command: tuple[int, int, bytes]) -> None:
        again = decide_record(self.fold, self.state, before, command, record.published)
        if again.record.body != record.body:
            self.bad("decided otherwise", f"{again.decided}, not {record.body!r}")

    def _count_outcomes(self, decided: Decided) -> None:
        count = self.world.count
        for code in decided.outcomes:
            name = Outcome(code & ~REPEATED).label
            count(f"outcome: {name}")
            if code & REPEATED:
                count("answers repeated")

    # --- facts ----------------------------------------------------------------------------------------------------

    def on_fact(self, offset: int) -> None:
        """Only what was accepted, in the ledger's order the first time."""
        value = self.part.events.records[offset][1]
        place = self.accepted.get(value)
        if place is None:
            self.bad("a false fact", f"record {offset}")
            return
        if place in self._fact_seen:
            self.world.count("facts published again")
            return
        if place < self.newest_fact:
            self.bad("facts out of order", f"{place} after {self.newest_fact}")
        if next(iter(self.unpublished), place) < place:
            self.bad("a fact left out", f"{next(iter(self.unpublished))} before {place}")
        self._fact_seen.add(place)
        self.newest_fact = place
        self.unpublished.pop(place, None)
