"""An order worker whose orders are in a hurry: `python -m tests.chaos.hasty`. Deadlines and repeats come in seconds."""

import sys

from agents import order
from domain.order_rules import FIRST_ORDER_RULES, OrderRules
from settings import WorkerSettings
from tables.orders import OrderFold

RULES = OrderRules(
    deadline_ms=20_000, method_wait_ms=20_000, queued_max_ms=30_000, resume_first_ms=2_000, resume_last_ms=8_000
)


def main() -> int:
    return order.run(WorkerSettings(), OrderFold({FIRST_ORDER_RULES: RULES}))


if __name__ == "__main__":
    sys.exit(main())
