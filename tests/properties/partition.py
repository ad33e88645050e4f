"""One partition of stock as its ledger has it, and what is true of every state of it."""

from domain.roles import Role
from domain.rules import RULES, Rules
from streams.stock_records import StockDetails, decode_details
from tables.stock import StockFold
from tests.properties.content import check, content
from tests.properties.ledger_partition import LedgerPartition


class Partition(LedgerPartition):
    """Operators' commands, unless another role is named."""

    def __init__(self, rules: Rules | None = None, fold: StockFold | None = None, clk: int = 1_000_000) -> None:
        super().__init__(fold or StockFold({1: rules} if rules else RULES), decode_details, Role.OPS, clk)
        self.details = StockDetails([], [], [])

    def verify(self) -> None:
        """The standby has folded to the very state that the owner decided to, and that state is sound."""
        assert content(self.owner) == content(self.standby)
        check(self.owner)
