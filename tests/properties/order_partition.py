"""One partition of orders as its ledger has it: an owner that decides and a standby that folds, always compared."""

from copy import copy, deepcopy

from domain.order_asks import owed
from domain.order_changes import Asks
from domain.order_evolve import sound
from domain.order_row import FINALS, Order, letters
from domain.order_rules import ORDER_RULES, OrderRules
from domain.orders import Phase
from domain.roles import Role
from streams.order_events import OrderEvent
from streams.order_records import OrderDetails, decode_details, events_of
from streams.records import DECIDED_BYTES_MAX, Decided, decode_decided, encode_body
from tables.orders import OrderFold
from tests.properties.partition import label


class OrderPartition:
    """`record` appends one command record and gives the answers, `!` behind those that are the first answer again."""

    def __init__(self, rules: OrderRules | None = None, fold: OrderFold | None = None, clk: int = 1_000_000) -> None:
        self.fold = fold or OrderFold({1: rules} if rules else ORDER_RULES)
        self.owner = self.fold.new_state(0)
        self.standby = self.fold.new_state(0)
        self.src = 0
        self.clk = clk
        self.details = OrderDetails(replied=False, changes=[])
        self.decided: Decided | None = None
        self.faults = []
        self.size = 0

    def record(self, *commands, role: Role = Role.WORKER, after_ms: int = 0) -> list[str]:
        self.src += 1
        self.clk += after_ms
        decision = self.fold.decide(self.owner, list(commands), role, self.src, self.clk)
        outcomes = bytes(decision.outcomes)
        body = encode_body(Decided(self.src, bytes(16), self.clk, "gw", 1, outcomes, None, None, decision.details))
        self.size = len(body)
        assert self.size <= DECIDED_BYTES_MAX
        self.decided = decode_decided(body)
        assert self.fold.lawful(self.owner, self.decided, evolved=True)
        assert self.fold.lawful(self.standby, self.decided, evolved=False)
        self.fold.apply(self.standby, self.decided)
        self.details = decode_details(self.decided.details)
        self.faults = decision.faults
        return [label(code) for code in outcomes]

    def twin(self) -> "OrderPartition":
        """Another one in the same state, to go on from it differently."""
        twin = copy(self)
        twin.owner, twin.standby = deepcopy((self.owner, self.standby))
        return twin

    def changes(self) -> list:
        return [change for run in self.details.changes for change in run.items]

    def events(self) -> list[OrderEvent]:
        """Of the last record, without the answer to its sender."""
        events = events_of(0, self.src, self.decided)
        return [event for event in events if isinstance(event, OrderEvent)]

    def get(self, order: bytes):
        return self.owner.get(order, self.clk)

    def verify(self) -> None:
        """The standby has folded to the very state that the owner decided to, and that state is sound."""
        assert content(self.owner) == content(self.standby)
        check(self.owner)


def content(state) -> tuple:
    """All that decides what comes next."""
    rows = {row.order: row for row in state.rows}
    return rows, state.moves, list(state.early), state.early_count, state.clk, state.src, state.rules_version


def check(state) -> None:
    """What is true of every state: rows are sound, what is owed is going to be asked for again, deadlines are known."""
    early = 0
    for row in state.rows:
        if not isinstance(row, Order):
            assert row.phase in FINALS | {Phase.EARLY}
            early += row.phase is Phase.EARLY
            continue
        assert row.phase not in FINALS | {Phase.EARLY}, row
        assert sound(row.phase, row.pay, letters(row.lines)), row
        assert bool(row.resume_ms) == (owed(row) != Asks()), row
        assert bool(row.deadline_ms) == (
            row.phase is Phase.CREATED or (row.phase is Phase.PENDING and row.pay in "NAW")
        )
        assert 0 <= row.refunded <= row.captured
        assert (row.movement is not None) == (row.phase is Phase.RETURNING)
    assert early == sum(state.early_count.values())
