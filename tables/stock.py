"""The stock fold: domain/inventory.py behind the protocol of streams/fold.py, on compact rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from domain.columns import Columns, GrantedRun, RefusedRun, ReserveRun
from domain.evolve import EVOLVE, begin, expired, finish
from domain.inventory import decide, decide_run, sweep, sweep_pool
from domain.outcomes import InvariantViolatedError, Outcome
from domain.pool import Pool, conserved
from domain.roles import Role
from domain.rules import RULES, Rules
from domain.state import Inventory
from domain.stock import CHANGES, COMMANDS, Answered, Change, Command, Expired, Repeat, ReserveAll
from domain.verdict import BUSY, Verdict
from streams.fold import Fault, FoldDecision, Shard
from streams.records import BatchCodec, Decided
from streams.stock_records import (
    BATCHES,
    PoolHint,
    StockCommand,
    decode_details,
    decode_totals,
    encode_details,
)
from tables.stock_dump import dump, load, new_inventory

_OWN = frozenset(COMMANDS.values())
_FAULT = Verdict(Outcome.FAULT)


class StockFold:
    """streams.fold.Fold of the stock ledger. `rules`: the versions that this program implements."""

    name = "stock"
    layout = 1

    def __init__(self, rules: Mapping[int, Rules] = RULES) -> None:
        self._rules = rules
        self.rules_versions = frozenset(rules)
        self.batches: BatchCodec[StockCommand] = BATCHES

    def new_state(self, partition: int) -> Inventory:  # noqa: ARG002 - nothing in a receipt's row says its partition
        """The state before the first record."""
        return new_inventory(self._rules)

    def decide(
        self, state: Inventory, commands: Sequence[StockCommand], role: Role, src: int, clk: int
    ) -> FoldDecision:
        """Sweep what is due at `clk`, decide the commands in order, evolve `state` by each.

        An exception in `decide` of one command: FAULT, and the next (W10). One out of here: the state is broken.
        """
        begin(state, src, clk)
        turn = _Turn(state, role)
        turn.sweep()
        outcomes = turn.take_run(commands) if isinstance(commands, ReserveRun) else turn.take_all(commands)
        totals = finish(state)
        return FoldDecision(outcomes, encode_details(turn.repeats, turn.changes, totals), turn.faults)

    def apply(self, state: Inventory, decided: Decided) -> None:
        """Fold an accepted record decided by somebody else. InvariantViolatedError if it does not fit the state."""
        details = decode_details(decided.details)
        begin(state, decided.src, decided.clk)
        for kind, changes in details.changes:
            EVOLVE[CHANGES[kind]](state, changes)
        if finish(state) != details.totals:
            message = f"record at src {decided.src} says {details.totals}, folded: {state.touched}"
            raise InvariantViolatedError(message)

    def lawful(self, state: Inventory, decided: Decided, *, evolved: bool) -> bool:
        """The fold's part of R3: conservation in the record's totals, each sequence one more than before.

        UndecodableError if the details are none. `evolved`: the state is already the one after this record.
        """
        for totals in decode_totals(decided.details):
            pool = state.pools.get(totals.sku)
            before = (pool.sequence if pool else 0) - evolved
            if totals.sequence != before + 1 or not conserved(totals):
                return False
        return True

    def due_at_ms(self, state: Inventory) -> int | None:
        """The earliest deadline of a live hold. Rows and refusals that are only to be forgotten can wait."""
        return state.deadlines.next_ms()

    def rules_version(self, state: Inventory) -> int:
        """The rules in force from the next record on."""
        return state.rules_version

    def dump(self, state: Inventory) -> Iterator[Shard]:
        """The whole state between two records; nothing may change it until the last shard is out."""
        return dump(state)

    def load(self, state: Inventory, shard: Shard) -> None:
        """One shard of a dump, in its order, into what `new_state` gave. ValueError or LookupError if it is none."""
        load(state, shard)


class _Turn:
    """One record being decided."""

    __slots__ = ("_lines_left", "_role", "_state", "_sweeps_left", "changes", "faults", "repeats")

    def __init__(self, state: Inventory, role: Role) -> None:
        self._state = state
        self._role = role
        self._sweeps_left = state.rules.pool_sweep_max
        self._lines_left = state.rules.record_lines_max
        self.changes: list[Change | Columns[Any]] = []
        self.repeats: list[Repeat] = []
        self.faults: list[Fault] = []

    def sweep(self) -> None:
        """What is due in the partition, up to the limit."""
        left = self._state.rules.sweep_max
        while left and (changes := sweep(self._state, left)):
            expired(self._state, changes)
            self.changes += changes
            left -= len(changes)

    def take_all(self, commands: Sequence[StockCommand]) -> bytearray:
        """Decide commands one by one; 0 stays where the command is the protocol's own."""
        outcomes = bytearray(len(commands))
        for index, command in enumerate(commands):
            if type(command) in _OWN:
                outcomes[index] = self.take(index, command)  # type: ignore[arg-type]
        return outcomes

    def take_run(self, run: ReserveRun) -> bytearray:
        """Decide a batch of Reserves: together, and one by one those that need a look of their own."""
        outcomes, changes = self._together(run)
        for change in changes:
            EVOLVE[change.row](self._state, change)
        self.changes += changes
        if not all(outcomes):
            for index, command in enumerate(run):
                if not outcomes[index]:
                    outcomes[index] = self.take(index, command)
        return outcomes

    def _together(self, run: ReserveRun) -> tuple[bytearray, list[GrantedRun | RefusedRun]]:
        try:
            return decide_run(self._state, run, self._role)
        except Exception:  # noqa: BLE001 - W10: a bug is met again, and told, where it is decided one by one
            return bytearray(len(run)), []

    def take(self, index: int, command: Command) -> int:
        """Decide one command, evolve by it, give its code."""
        state, role = self._state, self._role
        try:
            outcome, changes, repeats, lacking = decide(state, command, role, index, self._lines_left)
            while lacking is not None:
                outcome, changes, repeats, lacking = self._sweep_pool(lacking) or decide(
                    state, command, role, index, self._lines_left
                )
        except InvariantViolatedError:
            raise
        except Exception as error:  # noqa: BLE001 - W10: a bug in one decision stops nobody else
            self.faults.append(Fault(index, f"{type(error).__name__}: {error}"))
            outcome, changes, repeats, lacking = _FAULT
        if len(changes) == 1:
            EVOLVE[type(changes[0])](state, changes)
        else:
            for change in changes:
                EVOLVE[type(change)](state, (change,))
        self.changes += changes
        if repeats:
            self.repeats += repeats
        if type(command) is ReserveAll and (repeats or (changes and type(changes[0]) is not Answered)):
            self._lines_left -= len(command.lines)
        return outcome

    def _sweep_pool(self, pool: Pool) -> Verdict | None:
        """One due hold of the pool; the verdict if this record has swept as many as it may."""
        if not self._sweeps_left:
            return BUSY
        self._sweeps_left -= 1
        change = sweep_pool(self._state, pool)
        if change is None:
            message = f"pool {pool.sku!r} had due holds and has none"
            raise InvariantViolatedError(message)
        self._expire(change)
        return None

    def _expire(self, change: Expired) -> None:
        expired(self._state, (change,))
        self.changes.append(change)


def hint(pool: Pool, ledger_offset: int, as_of_ms: int) -> PoolHint:
    """What a record of stock.pools says about a pool after the ledger record at `ledger_offset`."""
    policy = pool.policy
    return PoolHint(
        pool.sku,
        ledger_offset,
        as_of_ms,
        pool.version,
        pool.phase,
        policy.price,
        policy.currency,
        policy.limit,
        policy.hold_ms,
        policy.customer_key,
        pool.received,
        pool.available,
        pool.held,
        pool.sold,
        pool.written_off,
        pool.sequence,
    )
