"""The referee of a stock partition: rows and counters of its own, and the first answer of every key."""

from typing import TYPE_CHECKING, Any, NamedTuple

from domain.outcomes import REPEATED, Outcome
from domain.stock import Repeat, Reserve
from streams.records import Decided, encode_fact
from streams.stock_records import decode_details
from tests.simulation.gateway import Answer
from tests.simulation.operator import BREAKS
from tests.simulation.referee import Accepted, Referee
from tests.simulation.rows import Rows, RowsViolatedError

if TYPE_CHECKING:
    from tests.simulation.part import Part
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


class Told(NamedTuple):
    """An accepted record as its facts tell it."""

    place: tuple[int, int]
    """Ledger offset, and the place among the facts of the record: there is one."""
    partition: int
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


class StockReferee(Referee):
    """Adds up what the changes say, and compares it with the totals."""

    def __init__(self, world: "World", part: "Part") -> None:
        super().__init__(world, part)
        self.rows = Rows(world.weather.limit)
        self.first: dict[bytes, First] = {}
        self.buried: dict[bytes, int] = {}

    def on_batch(self, offset: int, commands: list[Any]) -> None:
        """A planted break calls the operator."""
        if any(type(command) is Reserve and command.sku == BREAKS for command in commands):
            self.world.on_poisoned(self.part, offset)

    def on_accepted(self, accepted: Accepted) -> list[tuple[bytes, Any]]:
        """The fact, and what it tells."""
        offset, decided = accepted.offset, accepted.decided
        details = decode_details(decided.details)
        changes = [change for run in details.changes for change in run.items]
        try:
            self.rows.fold(decided.clk, changes, details.totals)
        except RowsViolatedError as error:
            self.bad("the rows do not add up", f"at {offset}: {error}")
        repeats = {repeat.index: repeat for repeat in details.repeats}
        told = Told((offset, 0), self.part.partition, decided, repeats, changes)
        self._answers(told)
        for change in changes:
            self.world.count(f"change: {type(change).__name__}")
        return [(encode_fact(accepted.record.kind, offset, accepted.record.body), told)]

    def restless(self) -> str:
        """Holds end by themselves."""
        held = [hold.hex() for hold, row in self.rows.rows.items() if row.state == "held"]
        return f"{held[0]} is held" if held else ""

    def portrait(self, state: Any) -> tuple[Any, ...]:
        """All that matters of a stock state, in a comparable form."""
        return portrait(state)

    def stands(self) -> dict[Any, str]:
        """What a view should say at the end."""
        return {hold: row.state.replace("returned", "sold") for hold, row in self.rows.rows.items()}

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
            self.bad("answers of a key contradict", f"{command} got {code} at src {decided.src}, first {first}")

    def told(self, hold: bytes, answer: Answer) -> None:
        """A client was told this."""
        first = self.first.get(hold)
        if answer.outcome == Outcome.GONE:
            if hold not in self.buried:
                self.bad("a false answer", f"{hold.hex()} was told {answer}")
        elif first is None or (first.outcome, self.part.partition, first.offset, first.index) != (
            answer.outcome,
            *answer.receipt,
        ):
            self.bad("a false answer", f"{hold.hex()} was told {answer}, first was {first}")


def portrait(state: Any) -> tuple[Any, ...]:
    """All that matters of a stock state, in a comparable form."""
    return (
        state.clk,
        state.src,
        sorted(state.rows),
        sorted(state.counts),
        sorted(state.refusals),
        [(pool.totals(), pool.version, pool.phase, pool.adjustments) for pool in state.pools.values()],
        state.tombstones,
        state.returns,
    )
