"""One accepted decision against its command record: every answer, every change, in the order of the commands."""

from typing import Any

from domain.outcomes import REPEATED, Outcome
from domain.stock import Change, Expired, Granted, Repeat, Reserve, ReserveAll
from ops.audit.commands import CommandRecord
from ops.audit.expected import Expected, informed, reserve, reserve_all
from ops.audit.limits import RULES_VERSION
from ops.audit.seat import Seat
from ops.audit.settled import settle
from ops.audit.shapes import may_send, well_formed
from ops.audit.stock import Stock
from ops.audit.tally import Tally
from ops.audit.violations import Findings, Kind
from streams.protocol import PROTOCOL_COMMANDS
from streams.records import Batch, Decided
from streams.stock_records import StockCommand, StockDetails

_PROTOCOL = frozenset(PROTOCOL_COMMANDS.values())
_LACKING = frozenset({Outcome.ALL_HELD, Outcome.SOLD_OUT, Outcome.INSUFFICIENT, Outcome.BUSY})
_UNPROMISED = frozenset({Outcome.MALFORMED, Outcome.FORBIDDEN, Outcome.KEY_REUSED})
_MALFORMED = [Expected(Outcome.MALFORMED)]
_FORBIDDEN = [Expected(Outcome.FORBIDDEN)]


class Judge:
    """Walks decisions of one partition; `stock` follows whatever was decided, right or wrong."""

    def __init__(self, findings: Findings, stock: Stock, tally: Tally) -> None:
        self._findings = findings
        self._stock = stock
        self._tally = tally
        self._lines = 0

    def decision(self, decided: Decided, details: StockDetails, command: CommandRecord | None, seat: Seat) -> None:
        """A DECIDED that counts. `command` is None if it was trimmed; then the ledger is judged by itself."""
        stock, found = self._stock, self._findings
        if stock.rules_version != RULES_VERSION:
            found.add(Kind.RULES, f"decided by rules version {stock.rules_version}, which this auditor does not know")
        stock.begin(decided.src, decided.clk)
        changes: list[Change] = [change for run in details.changes for change in run.items]
        if command is None:
            self._blind(decided, changes)
        elif command.batch is None:
            self._undecodable(decided, details, changes)
        else:
            self._batch(decided, details.repeats, changes, command.batch, seat)
        found.index = -1
        stock.end(details.totals, swept=True)

    def ruling(self, decided: Decided, details: StockDetails, command: CommandRecord | None) -> None:
        """A RULING that counts: every command FAULT, nothing else."""
        self._stock.begin(decided.src, decided.clk)
        count = len(decided.outcomes)
        if command is not None:
            count = len(command.batch.commands()) if command.batch else 1
        if decided.outcomes != bytes((Outcome.FAULT,)) * count:
            self._findings.add(Kind.RULING, f"a ruling must answer {count} commands with fault")
        if details.changes or details.totals or details.repeats or decided.yielded_to is not None:
            self._findings.add(Kind.RULING, "a ruling changes nothing")
        if not decided.note:
            self._findings.add(Kind.RULING, "a ruling names its operator and reason")
        for run in details.changes:
            for change in run.items:
                self._stock.apply(change)
        self._stock.end(details.totals, swept=False)
        self._tally.outcomes[Outcome.FAULT] += count

    def _undecodable(self, decided: Decided, details: StockDetails, changes: list[Change]) -> None:
        if decided.outcomes != bytes((Outcome.MALFORMED,)) or decided.sender or decided.number:
            self._findings.add(Kind.MALFORMED, "an undecodable commands record is decided by one malformed, for nobody")
        if details.repeats or any(type(change) is not Expired for change in changes):
            self._findings.add(Kind.CHANGE, "an undecodable commands record changes nothing")
        for change in changes:
            self._stock.apply(change)
        self._tally.outcomes[Outcome.MALFORMED] += 1

    # --- with the commands --------------------------------------------------------------------------------------------

    def _batch(
        self, decided: Decided, repeats: list[Repeat], changes: list[Change], batch: Batch[StockCommand], seat: Seat
    ) -> None:
        found = self._findings
        commands = batch.commands()
        if (decided.sender, decided.number) != (batch.sender, batch.number):
            found.add(Kind.ANSWERS, f"answers {decided.sender}:{decided.number}, asked {batch.sender}:{batch.number}")
        if len(decided.outcomes) != len(commands):
            found.add(Kind.ANSWERS, f"{len(decided.outcomes)} answers to {len(commands)} commands")
        repeats_of: dict[int, tuple[Repeat, ...]] = {}
        for repeat in repeats:
            repeats_of[repeat.index] = (*repeats_of.get(repeat.index, ()), repeat)
        self._lines = 0
        at = self._sweep(changes)
        for index, (command, outcome) in enumerate(zip(commands, decided.outcomes, strict=False)):
            found.index = index
            first, at = at, self._own(changes, at, index)
            mine = tuple(change for change in changes[first:at] if type(change) is not Expired)
            if type(command) in _PROTOCOL:
                self._protocol(seat, batch, command, outcome)
                self._apply(mine)
            else:
                self._command(batch, command, (outcome, mine, repeats_of.pop(index, ())))
        found.index = -1
        seat.compare(found, decided)
        if repeats_of:
            found.add(Kind.REPEAT, f"repeats told for commands {sorted(repeats_of)} that repeat nothing")
        for change in changes[at:]:
            if type(change) is not Expired:
                found.add(Kind.CHANGE, f"{change} stands out of the order of the commands")
            self._stock.apply(change)

    def _sweep(self, changes: list[Change]) -> int:
        """The expiries before anything else; how many."""
        at = 0
        while at < len(changes) and type(changes[at]) is Expired:
            self._stock.apply(changes[at])
            at += 1
        return at

    def _own(self, changes: list[Change], at: int, index: int) -> int:
        """The end of the changes of one command, which begin at `at`: expiries that made room for it, then its own.

        Expiries are applied here: they are due whatever the command comes to.
        """
        end = at
        while end < len(changes) and type(changes[end]) is Expired:
            end += 1
        if end == len(changes) or changes[end].index != index:
            return at
        for change in changes[at:end]:
            self._stock.apply(change)
        while end < len(changes) and type(changes[end]) is not Expired and changes[end].index == index:
            end += 1
        return end

    def _protocol(self, seat: Seat, batch: Batch[StockCommand], command: Any, outcome: int) -> None:
        allowed = may_send(batch.role, command)
        expected = seat.take(command, self._stock.clk) if allowed else Outcome.FORBIDDEN
        if outcome not in {expected, Outcome.FAULT}:
            kind = Kind.FORBIDDEN if expected == Outcome.FORBIDDEN else Kind.YIELD
            self._findings.add(kind, f"{type(command).__name__} came to {_name(outcome)}, should be {_name(expected)}")
        self._tally.count(outcome)

    def _command(
        self, batch: Batch[StockCommand], command: Any, told: tuple[int, tuple[Change, ...], tuple[Repeat, ...]]
    ) -> None:
        outcome, changes, repeats = told
        options = self._options(batch, command)
        if told not in options:
            if outcome == Outcome.FAULT and not changes and not repeats:
                pass  # W10: a bug in a decision; counted, and in the dead letters
            else:
                self._complain(options[0], Expected(*told), command)
        self._apply(changes)
        self._tally.count(outcome)
        if self._tally.keeps and not outcome & REPEATED and outcome not in _UNPROMISED:
            self._tally.keep(command, outcome, changes, self._stock.src, self._findings.index)

    def _options(self, batch: Batch[StockCommand], command: Any) -> list[Expected]:
        if not well_formed(command, self._stock.clk):
            return _MALFORMED
        if not may_send(batch.role, command):
            return _FORBIDDEN
        index = self._findings.index
        if type(command) is Reserve:
            return reserve(self._stock, command, index)
        if type(command) is ReserveAll:
            self._lines += len(command.lines)
            return informed(reserve_all(self._stock, command, index, self._lines), command, index)
        return informed(settle(self._stock, command, index), command, index)

    def _complain(self, expected: Expected, told: Expected, command: Any) -> None:
        """Name the rule that the answer breaks; remember who was passed over."""
        kind = _outcome_kind(expected, told) if told.outcome != expected.outcome else _content_kind(expected, told)
        name = type(command).__name__
        if told.outcome != expected.outcome:
            text = f"{name} came to {_name(told.outcome)}, should be {_name(expected.outcome)}"
        elif told.repeats != expected.repeats:
            text = f"{name} repeats {told.repeats}, first was {expected.repeats}"
        else:
            text = f"{name} changed {told.changes}, should be {expected.changes}"
        self._findings.add(kind, text)
        passed_over = expected.outcome == Outcome.GRANTED and told.outcome != Outcome.GRANTED
        if passed_over and isinstance(command, Reserve):
            pool = self._stock.pools[command.sku]
            pool.starved = pool.starved or (self._stock.src, self._findings.index, command.hold)

    def _apply(self, changes: tuple[Change, ...]) -> None:
        for change in changes:
            self._stock.apply(change)

    # --- without the commands -----------------------------------------------------------------------------------------

    def _blind(self, decided: Decided, changes: list[Change]) -> None:
        """The commands are trimmed: what a grant may be is still known from policy and counters."""
        stock, found = self._stock, self._findings
        for outcome in decided.outcomes:
            self._tally.count(outcome)
        for change in changes:
            if isinstance(change, Granted):
                pool = stock.pools.get(change.sku)
                found.index = change.index
                if pool is not None and (change.unit_price, change.currency) != (pool.price, pool.currency):
                    found.add(Kind.PRICE, f"granted at {change.unit_price} {change.currency}")
                if pool is not None and pool.counts.get(change.customer, 0) + change.quantity > pool.limit:
                    found.add(Kind.LIMIT, f"granted over the limit of {pool.limit}")
                if pool is not None and change.deadline_ms != decided.clk + pool.hold_ms:
                    found.add(Kind.DEADLINE, f"granted until {change.deadline_ms}")
            stock.apply(change)


def _name(outcome: int) -> str:
    flag = " again" if outcome & REPEATED else ""
    try:
        return Outcome(outcome & ~REPEATED).label + flag
    except ValueError:
        return f"code {outcome}"


def _outcome_kind(expected: Expected, told: Expected) -> Kind:
    """Which rule another outcome breaks."""
    wanted, got = expected.code, told.code
    if Outcome.MALFORMED in {wanted, got}:
        return Kind.MALFORMED
    if Outcome.FORBIDDEN in {wanted, got}:
        return Kind.FORBIDDEN
    if expected.outcome & REPEATED and not told.outcome & REPEATED:
        return Kind.DOUBLE_GRANT if got == wanted == Outcome.GRANTED else Kind.FORGOTTEN
    if told.outcome & REPEATED:
        return Kind.REPEAT
    if wanted == Outcome.NOT_YOURS:
        return Kind.NOT_YOURS
    if Outcome.LIMIT_REACHED in {wanted, got} and Outcome.GRANTED in {wanted, got}:
        return Kind.LIMIT
    if wanted == Outcome.GRANTED and got in _LACKING:
        return Kind.UNDERSELL
    if got == Outcome.GRANTED and wanted in _LACKING:
        return Kind.OVERSELL
    return Kind.OUTCOME


def _content_kind(expected: Expected, told: Expected) -> Kind:
    """Which rule other changes or repeats break, with the right outcome."""
    if told.repeats != expected.repeats:
        return Kind.REPEAT
    for mine, theirs in zip(expected.changes, told.changes, strict=False):
        if not (isinstance(mine, Granted) and isinstance(theirs, Granted)):
            continue
        if (mine.unit_price, mine.currency) != (theirs.unit_price, theirs.currency):
            return Kind.PRICE
        if mine.deadline_ms != theirs.deadline_ms:
            return Kind.DEADLINE
    return Kind.CHANGE
