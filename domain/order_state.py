"""The state of one partition's orders: what `decide` reads and `evolve` changes, nothing else does either."""

from collections import deque
from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from operator import attrgetter

from domain.order_row import Known, Movement, Order, Rows, Stub
from domain.order_rules import FIRST_ORDER_RULES, OrderRules
from domain.orders import Phase


class Moments:
    """When which orders want to be looked at, in (time, order) order.

    An entry is one only as long as the row says the same time (`of`): rows change more often than moments come, so
    what no longer holds is dropped when its turn comes, not when it stops to hold.
    """

    __slots__ = ("_heap", "_of")

    def __init__(self, of: Callable[[Order], int]) -> None:
        self._of = of
        """The time in a row; 0 = none."""
        self._heap: list[tuple[int, bytes]] = []

    def add(self, row: Order) -> None:
        """The row has another time than before."""
        if moment_ms := self._of(row):
            heappush(self._heap, (moment_ms, row.order))

    def first(self, rows: Rows) -> tuple[int, Order] | None:
        """The earliest moment and its order; it stays."""
        heap = self._heap
        while heap:
            moment_ms, order = heap[0]
            row = rows.get(order)
            if isinstance(row, Order) and self._of(row) == moment_ms:
                return moment_ms, row
            heappop(heap)
        return None

    def due(self, rows: Rows, clk: int) -> Order | None:
        """The first order whose moment has come."""
        found = self.first(rows) if self._heap and self._heap[0][0] <= clk else None
        return found[1] if found and found[0] <= clk else None


class Orders:
    """All orders of a partition after some record.

    `moves` has the returns and refunds of orders that had any, by order and key; they stay, as the orders' stubs do.
    `early` holds cancels that wait for their orders, in the order of their coming; `early_count` counts them by
    customer. `opening` = the order that the change before this one began.
    """

    __slots__ = (
        "clk",
        "deadlines",
        "early",
        "early_count",
        "home",
        "moves",
        "opening",
        "resumes",
        "rows",
        "rules",
        "rules_version",
        "src",
    )

    def __init__(self, rows: Rows, home: int, rules: Mapping[int, OrderRules]) -> None:
        self.rows = rows
        self.home = home
        self.rules_version = FIRST_ORDER_RULES
        self.rules = rules[FIRST_ORDER_RULES]
        self.deadlines = Moments(attrgetter("deadline_ms"))
        self.resumes = Moments(attrgetter("resume_ms"))
        self.moves: dict[bytes, dict[bytes, Movement]] = {}
        self.early: deque[tuple[int, bytes]] = deque()
        self.early_count: dict[bytes, int] = {}
        self.opening: Order | None = None
        self.src = 0
        self.clk = 0

    def get(self, order: bytes, clk: int) -> Known | None:
        """What is known of an order at `clk`: an early cancel is forgotten after its time, whether it left or not."""
        known = self.rows.get(order)
        if isinstance(known, Stub) and known.phase is Phase.EARLY and self.early_over(known.ended_ms, clk):
            return None
        return known

    def early_over(self, ended_ms: int, clk: int) -> bool:
        """Whether an early cancel of `ended_ms` is not remembered any more."""
        return ended_ms + self.rules.early_keep_ms <= clk
