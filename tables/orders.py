"""The order fold: domain/order.py behind the protocol of streams/fold.py, on compact rows."""

from collections.abc import Iterator, Mapping, Sequence

from domain.order import REPLIED_TO, OrderVerdict, decide, resume, sweep
from domain.order_changes import Begun, Buried, OrderChange, Stepped
from domain.order_evolve import EVOLVE_ORDER, begin, sound
from domain.order_rules import ORDER_RULES, OrderRules
from domain.order_state import Orders
from domain.orders import COMMANDS
from domain.orders import OrderCommand as OwnCommand
from domain.outcomes import InvariantViolatedError, Outcome
from domain.roles import Role
from streams.fold import Fault, FoldDecision, Shard
from streams.order_records import BATCHES, OrderCommand, decode_details, encode_details
from streams.records import BatchCodec, Decided
from tables.order_dump import dump, load
from tables.order_rows import OrderTable

_OWN = frozenset(COMMANDS.values())
_FAULT = OrderVerdict(Outcome.FAULT)


class OrderFold:
    """streams.fold.Fold of the order ledger. `rules`: the versions that this program implements."""

    name = "order"
    layout = 1

    def __init__(self, rules: Mapping[int, OrderRules] = ORDER_RULES) -> None:
        self._rules = rules
        self.rules_versions = frozenset(rules)
        self.batches: BatchCodec[OrderCommand] = BATCHES

    def new_state(self, partition: int) -> Orders:
        """The state before the first record."""
        return Orders(OrderTable(), partition, self._rules)

    def decide(self, state: Orders, commands: Sequence[OrderCommand], role: Role, src: int, clk: int) -> FoldDecision:
        """Sweep deadlines and unanswered requests that are due at `clk`, decide the commands in order, evolve by each.

        An exception in `decide` of one command: FAULT, and the next (W10). One out of here: the state is broken.
        """
        begin(state, src, clk)
        turn = _Turn(state, role)
        turn.sweep()
        outcomes = bytearray(len(commands))
        own = False
        for index, command in enumerate(commands):
            if type(command) in _OWN:
                own = True
                outcomes[index] = turn.take(index, command)  # type: ignore[arg-type]
        details = encode_details(turn.changes, replied=own and role in REPLIED_TO)
        return FoldDecision(outcomes, details, turn.faults)

    def apply(self, state: Orders, decided: Decided) -> None:
        """Fold an accepted record decided by somebody else. InvariantViolatedError if it does not fit the state."""
        details = decode_details(decided.details)
        begin(state, decided.src, decided.clk)
        for _, changes in details.changes:
            for change in changes:
                EVOLVE_ORDER[type(change)](state, change)
        if state.opening is not None:
            message = f"record at src {decided.src} begins order {state.opening.order.hex()} and says no more"
            raise InvariantViolatedError(message)

    def lawful(self, state: Orders, decided: Decided, *, evolved: bool) -> bool:
        """The fold's part of R3: each order's version one more than before, and states that go together.

        UndecodableError if the details are none. `evolved`: the state is already the one after this record.
        """
        versions: dict[bytes, int] = {}
        for _, changes in decode_details(decided.details).changes:
            for change in changes:
                if isinstance(change, Begun):
                    continue
                order = change.order
                version = 1 if isinstance(change, Buried) else change.version
                moves = isinstance(change, Stepped | Buried)
                if not evolved or order in versions:
                    known = state.get(order, decided.clk)
                    before = versions.get(order, known.version if known else 0)
                    if version != before + moves:
                        return False
                if isinstance(change, Stepped) and not _lawful_step(change):
                    return False
                versions[order] = version
        if not evolved:
            return True
        return all(
            (known := state.rows.get(order)) is not None and known.version == version
            for order, version in versions.items()
            if version
        )

    def due_at_ms(self, state: Orders) -> int | None:
        """The earliest deadline of an order, or moment at which an unanswered request is made again."""
        moments = (state.deadlines.first(state.rows), state.resumes.first(state.rows))
        return min((moment[0] for moment in moments if moment is not None), default=None)

    def rules_version(self, state: Orders) -> int:
        """The rules in force from the next record on."""
        return state.rules_version

    def dump(self, state: Orders) -> Iterator[Shard]:
        """The whole state between two records; nothing may change it until the last shard is out."""
        return dump(state)

    def load(self, state: Orders, shard: Shard) -> None:
        """One shard of a dump, in its order, into what `new_state` gave. ValueError or LookupError if it is none."""
        load(state, shard)


def _lawful_step(change: Stepped) -> bool:
    core = change.core
    return (
        sound(core.phase, core.pay, change.letters)
        and len(change.letters) == len(change.was)
        and len(change.passed) <= change.sequence
        and 0 <= core.refunded <= core.captured
    )


class _Turn:
    """One record being decided."""

    __slots__ = ("_lines_left", "_role", "_state", "changes", "faults")

    def __init__(self, state: Orders, role: Role) -> None:
        self._state = state
        self._role = role
        self._lines_left = state.rules.record_lines_max
        self.changes: list[OrderChange] = []
        self.faults: list[Fault] = []

    def sweep(self) -> None:
        """What is due in the partition, up to the limits."""
        rules = self._state.rules
        for due, most in ((sweep, rules.sweep_max), (resume, rules.resume_max)):
            for _ in range(most):
                change = due(self._state)
                if change is None:
                    break
                self._evolve(change)

    def take(self, index: int, command: OwnCommand) -> int:
        """Decide one command, evolve by it, give its code."""
        try:
            outcome, changes = decide(self._state, command, self._role, index, self._lines_left)
        except InvariantViolatedError:
            raise
        except Exception as error:  # noqa: BLE001 - W10: a bug in one decision stops nobody else
            self.faults.append(Fault(index, f"{type(error).__name__}: {error}"))
            outcome, changes = _FAULT
        for change in changes:
            self._evolve(change)
            if isinstance(change, Stepped) and change.asks.reserve is not None:
                self._lines_left -= len(change.asks.reserve.lines)
        return outcome

    def _evolve(self, change: OrderChange) -> None:
        EVOLVE_ORDER[type(change)](self._state, change)
        self.changes.append(change)
