"""One partition as its ledger has it: an owner that decides and a standby that folds, compared after every record."""

from domain.outcomes import REPEATED, Outcome
from domain.roles import Role
from domain.rules import RULES, Rules
from streams.records import DECIDED_BYTES_MAX, Decided, decode_decided, encode_body
from streams.stock_records import StockDetails, decode_details
from tables.stock import StockFold
from tests.properties.content import check, content


class Partition:
    """`record` appends one command record and gives the answers, `!` behind those that are the first answer again."""

    def __init__(self, rules: Rules | None = None, fold: StockFold | None = None, clk: int = 1_000_000) -> None:
        self.fold = fold or StockFold({1: rules} if rules else RULES)
        self.owner = self.fold.new_state(0)
        self.standby = self.fold.new_state(0)
        self.src = 0
        self.clk = clk
        self.details = StockDetails([], [], [])
        self.faults = []
        self.size = 0

    def record(self, *commands, role: Role = Role.OPS, after_ms: int = 0) -> list[str]:
        self.src += 1
        self.clk += after_ms
        decision = self.fold.decide(self.owner, list(commands), role, self.src, self.clk)
        outcomes = bytes(decision.outcomes)
        body = encode_body(Decided(self.src, bytes(16), self.clk, "gw", 1, outcomes, None, None, decision.details))
        self.size = len(body)
        assert self.size <= DECIDED_BYTES_MAX
        decided = decode_decided(body)
        assert self.fold.lawful(self.owner, decided, evolved=True)
        assert self.fold.lawful(self.standby, decided, evolved=False)
        self.fold.apply(self.standby, decided)
        self.details = decode_details(decided.details)
        self.faults = decision.faults
        return [label(code) for code in outcomes]

    def changes(self) -> list:
        return [change for run in self.details.changes for change in run.items]

    def verify(self) -> None:
        """The standby has folded to the very state that the owner decided to, and that state is sound."""
        assert content(self.owner) == content(self.standby)
        check(self.owner)


def label(code: int) -> str:
    return Outcome(code & ~REPEATED).label + ("!" if code & REPEATED else "")
