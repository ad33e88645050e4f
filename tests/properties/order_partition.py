"""One partition of orders as its ledger has it, and what is true of every state of it."""

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
from tables.orders import OrderFold
from tests.properties.ledger_partition import LedgerPartition


class OrderPartition(LedgerPartition):
    """Workers' commands, unless another role is named."""

    def __init__(self, rules: OrderRules | None = None, fold: OrderFold | None = None, clk: int = 1_000_000) -> None:
        super().__init__(fold or OrderFold({1: rules} if rules else ORDER_RULES), decode_details, Role.WORKER, clk)
        self.details = OrderDetails(replied=False, changes=[])

    def twin(self) -> "OrderPartition":
        """Another one in the same state, to go on from it differently."""
        twin = copy(self)
        twin.owner, twin.standby = deepcopy((self.owner, self.standby))
        return twin

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
