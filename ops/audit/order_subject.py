"""Orders as the subject of an audit: the auditor's own fold of what changed, and whether it was allowed to."""

from collections.abc import Iterator, Sequence
from typing import Any

from domain.order_changes import BY_TIME, Begun, Buried, Noticed, OrderChange, Resumed, Stepped
from domain.outcomes import REPEATED, Outcome
from ops.audit.commands import CommandRecord
from ops.audit.order_row import CLOSED_LINES, CLOSED_MONEY, RESTING, OrderRow
from ops.audit.order_rules import LATE_CANCEL, PUBLIC, confirms, line_may, money_may
from ops.audit.order_senders import may_send
from ops.audit.seat import Seat
from ops.audit.source import Stream
from ops.audit.tally import Tally
from ops.audit.violations import Findings, Kind
from streams.order_records import BATCHES, OrderDetails, decode_details
from streams.protocol import PROTOCOL_COMMANDS
from streams.records import BatchCodec, Decided

_PROTOCOL = frozenset(PROTOCOL_COMMANDS.values())
_SILENT = frozenset(
    {Outcome.UNCHANGED, Outcome.REFUSED, Outcome.UNKNOWN_ORDER, Outcome.NOT_YOURS, Outcome.MALFORMED,
     Outcome.FORBIDDEN, Outcome.FAULT, Outcome.BUSY}
)  # fmt: skip
"""Outcomes of a command that changed no order."""


class OrderSubject:
    """Of one partition. `rows` by order id, after the last accepted record."""

    ledger = Stream.ORDER_LEDGER
    commands = Stream.ORDER_COMMANDS
    batches: BatchCodec[Any] = BATCHES

    def __init__(self, partition: int, findings: Findings) -> None:
        self.tally = Tally(partition, keeps=False)
        self.rows: dict[bytes, OrderRow] = {}
        self.buried: dict[bytes, bytes] = {}
        """Cancels that came before their orders, and whose they were (b"" = an operator's)."""
        """Orders whose cancel came first."""
        self._findings = findings
        self._clk = 0

    def details(self, decided: Decided) -> OrderDetails:
        """UndecodableError if they are none."""
        return decode_details(decided.details)

    def lawful(self, details: OrderDetails) -> bool:
        """Each change of an order is the next one of it: version, sequence and what was shown before fit."""
        versions: dict[bytes, tuple[int, int]] = {}
        begun: dict[bytes, bytes] = {}
        for change in _changes(details):
            if isinstance(change, Begun):
                begun[change.order] = change.customer
            if not isinstance(change, Stepped):
                continue
            row = self.rows.get(change.order)
            known = (row.version, row.sequence) if row else self._buried_at(change.order, begun.get(change.order))
            if row is None and change.version == 1:
                known = 0, 0  # the cancel that came first was forgotten meanwhile
            version, sequence = versions.get(change.order, known)
            if change.version != version + 1 or change.sequence != sequence + len(change.passed):
                told = f"version {change.version}, sequence {change.sequence} after {version}, {sequence}"
                self._findings.add(Kind.SEQUENCE, f"order {change.order.hex()}: {told}")
                return False
            versions[change.order] = change.version, change.sequence
        return True

    def decision(self, decided: Decided, details: OrderDetails, command: CommandRecord | None, seat: Seat) -> None:
        """Every change of a DECIDED, and who gave a reason for it."""
        self._clk = decided.clk
        found = self._findings
        commands = command.batch.commands() if command and command.batch else []
        if command is not None and command.batch is None and decided.outcomes != bytes((Outcome.MALFORMED,)):
            found.add(Kind.MALFORMED, "an undecodable commands record is decided by one malformed, for nobody")
        if command is not None and command.batch is not None:
            self._answers(decided, commands, command, seat)
        at = BY_TIME
        changed = set()
        for change in _changes(details):
            index = BY_TIME if isinstance(change, Resumed) else change.index
            found.index = index
            if index < at:
                found.add(Kind.CHANGE, f"a change of command {index} stands behind one of command {at}")
            at = max(at, index)
            changed.add(index)
            because = commands[index] if 0 <= index < len(commands) else None
            if because is not None and getattr(because, "order", b"") != change.order:
                found.add(Kind.CHANGE, f"{type(because).__name__} changed another order, {change.order.hex()}")
            self._take(change, because, known=command is not None)
        self._silent(decided, changed)

    def ruling(self, decided: Decided, details: OrderDetails, command: CommandRecord | None) -> None:
        """A RULING changes nothing; every command FAULT."""
        count = len(command.batch.commands()) if command and command.batch else 1
        if command is not None and decided.outcomes != bytes((Outcome.FAULT,)) * count:
            self._findings.add(Kind.RULING, f"a ruling must answer {count} commands with fault")
        if details.changes or not decided.note:
            self._findings.add(Kind.RULING, "a ruling changes nothing, and names its operator and reason")

    # --- answers ----------------------------------------------------------------------------------------------------

    def _answers(self, decided: Decided, commands: Sequence[Any], record: CommandRecord, seat: Seat) -> None:
        found, batch = self._findings, record.batch
        if batch is None:
            return
        if (decided.sender, decided.number) != (batch.sender, batch.number):
            found.add(Kind.ANSWERS, f"answers {decided.sender}:{decided.number}, asked {batch.sender}:{batch.number}")
        if len(decided.outcomes) != len(commands):
            found.add(Kind.ANSWERS, f"{len(decided.outcomes)} answers to {len(commands)} commands")
        for index, (command, outcome) in enumerate(zip(commands, decided.outcomes, strict=False)):
            found.index = index
            self.tally.count(outcome)
            allowed = may_send(batch.role, command)
            if type(command) in _PROTOCOL:
                due = seat.take(command, decided.clk) if allowed else Outcome.FORBIDDEN
                if outcome not in {due, Outcome.FAULT}:
                    found.add(Kind.YIELD, f"{type(command).__name__} came to code {outcome}, should be {due.label}")
            elif not allowed and outcome not in {Outcome.FORBIDDEN, Outcome.MALFORMED, Outcome.FAULT}:
                found.add(Kind.FORBIDDEN, f"{batch.role.name} may not send {type(command).__name__}")
        found.index = -1
        seat.compare(found, decided)

    def _silent(self, decided: Decided, changed: set[int]) -> None:
        """Who was told that nothing changed, has changed nothing; who was told that it did, has."""
        for index, code in enumerate(decided.outcomes):
            self._findings.index = index
            outcome = code & ~REPEATED
            if outcome in _SILENT and index in changed:
                self._findings.add(Kind.OUTCOME, f"code {outcome} stands for a change")
            if outcome in {Outcome.BORN, Outcome.PLACED, Outcome.NOTED} and code == outcome and index not in changed:
                self._findings.add(Kind.OUTCOME, f"code {outcome} stands for no change")
        self._findings.index = -1

    # --- changes ----------------------------------------------------------------------------------------------------

    def _take(self, change: OrderChange, because: Any, *, known: bool) -> None:
        """One change. `known`: the commands are still there, so a reason can be asked for."""
        if isinstance(change, Begun):
            self._begin(change)
        elif isinstance(change, Buried):
            if change.order in self.rows or change.order in self.buried:
                self._findings.add(Kind.TRANSITION, f"order {change.order.hex()} lives, and is buried")
            self.buried[change.order] = change.customer
        elif isinstance(change, Stepped):
            row = self.rows.get(change.order)
            if row is None:
                self._findings.add(Kind.TRANSITION, f"order {change.order.hex()} changes, and was never begun")
                return
            if row.version == 1 and change.version == 1:
                row.version, row.sequence, row.public = 0, 0, ""
            if known:
                self._reasons(row, change, because)
            self._ways(row, change)
            self._apply(row, change)
            self._ends(row, change)
        elif isinstance(change, Resumed | Noticed):
            row = self.rows.get(change.order)
            if isinstance(change, Resumed) and (row is None or row.is_final):
                self._findings.add(Kind.TRANSITION, f"order {change.order.hex()} asks, and is not alive")

    def _buried_at(self, order: bytes, customer: bytes | None) -> tuple[int, int]:
        """Version and sequence of a cancel that came before its order; a stranger's was shown to nobody of it."""
        by = self.buried.get(order)
        return (0, 0) if by is None else (1, int(by in {b"", customer}))

    def _begin(self, change: Begun) -> None:
        if change.order in self.rows:
            self._findings.add(Kind.DOUBLE_GRANT, f"order {change.order.hex()} is begun again")
        row = OrderRow(change.customer, tuple(line[:2] + line[3:4] for line in change.lines), partial=change.partial)
        row.version, row.sequence = self._buried_at(change.order, change.customer)
        row.public = "CANCELLED" if row.sequence else ""
        self.buried.pop(change.order, None)
        self.rows[change.order] = row

    def _reasons(self, row: OrderRow, change: Stepped, because: Any) -> None:
        """Each new letter has its reason in the command."""
        name = type(because).__name__ if because is not None else "time"
        core, order = change.core, change.order.hex()
        back = core.phase not in {"created", "pending", "paid"}
        for (line, _, _), was, now in zip(row.lines, row.letters, change.letters, strict=False):
            if not line_may(was, now, because, line, back=back):
                self._findings.add(Kind.REASON, f"order {order}: line {line} went {was} -> {now} because of {name}")
        if not money_may(row.pay, core.pay, because, back=back):
            self._findings.add(Kind.REASON, f"order {order}: money went {row.pay} -> {core.pay} because of {name}")
        if core.phase == "confirmed" and row.phase == "paid" and not confirms(because):
            self._findings.add(Kind.REASON, f"order {order} is confirmed, and nobody has booked it")
        if because is None and change.cause == "deadline" and not 0 < row.deadline_ms <= self._clk:
            self._findings.add(Kind.EARLY_EXPIRY, f"order {order} expired at {self._clk}, due {row.deadline_ms}")

    def _ways(self, row: OrderRow, change: Stepped) -> None:
        """The states that are shown follow one another as they may."""
        found, order = self._findings, change.order.hex()
        if change.was != row.letters and row.version > int(row.public == "CANCELLED"):
            found.add(Kind.TRANSITION, f"order {order}: lines were {row.letters}, the record says {change.was}")
        if change.before != row.public:
            found.add(Kind.TRANSITION, f"order {order} was {row.public}, the record says {change.before}")
        at = row.public
        for to in change.passed:
            if to not in PUBLIC.get(at, ()) and (at, to) != LATE_CANCEL:
                found.add(Kind.TRANSITION, f"order {order} went from {at or 'nothing'} to {to}")
            at = to

    def _apply(self, row: OrderRow, change: Stepped) -> None:
        core = change.core
        row.version, row.sequence = change.version, change.sequence
        row.public = change.passed[-1] if change.passed else change.before
        row.phase, row.pay, row.letters = str(core.phase), str(core.pay), change.letters
        row.attempt, row.deadline_ms = core.attempt, core.deadline_ms
        row.amount, row.authorised = core.amount, core.authorised
        row.captured, row.refunded = core.captured, core.refunded
        if change.texts and change.texts.intent is not None:
            row.intent = change.texts.intent
        for terms in change.terms:
            row.prices[terms.line] = terms.unit_price
            row.returned[terms.line] = terms.returned
        row.changed_at = self._findings.offset

    def _ends(self, row: OrderRow, change: Stepped) -> None:
        """What must be true of an order in the state that it reached."""
        found, order = self._findings, change.order.hex()
        if not 0 <= row.refunded <= row.captured <= row.authorised:
            money = f"authorised {row.authorised}, captured {row.captured}, refunded {row.refunded}"
            found.add(Kind.MONEY, f"order {order}: {money}")
        ended = CLOSED_LINES | {"s"} if row.phase == "refunded" else CLOSED_LINES  # the money is back, not the goods
        if row.is_final and (set(row.letters) - ended or row.pay not in CLOSED_MONEY):
            found.add(Kind.TRANSITION, f"order {order} is {row.phase} with lines {row.letters}, money {row.pay}")
        if row.phase in RESTING:
            if set(row.letters) - set("sxu") or row.pay != "K":
                found.add(Kind.TRANSITION, f"order {order} is {row.phase} with lines {row.letters}, money {row.pay}")
            elif row.captured != row.amount or row.amount != row.worth():
                sums = f"captured {row.captured}, amount {row.amount}, lines {row.worth()}"
                found.add(Kind.MONEY, f"order {order} is {row.phase}: {sums}")
        if row.is_final and row.captured > row.refunded:
            found.add(Kind.MONEY, f"order {order} is {row.phase}: captured {row.captured}, refunded {row.refunded}")


def _changes(details: OrderDetails) -> Iterator[OrderChange]:
    for run in details.changes:
        yield from run.items
