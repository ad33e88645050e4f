"""An inventory worker that decides slowly: `python -m tests.chaos.slow RATE`, so many commands a second a partition."""

import sys
from time import monotonic
from unittest.mock import patch

from agents import inventory
from settings import WorkerSettings
from streams.effects import Append
from streams.machine import PartitionMachine
from tables.stock import StockFold

CARRY_S = 0.05
"""The decider is woken every 25 ms: it may catch up on so much."""


def main() -> int:
    rate = float(sys.argv[1])
    decide = PartitionMachine.decide
    free_s: dict[int, float] = {}

    def slowly(machine: PartitionMachine) -> Append | None:
        """As if each decision took its time, without keeping anything else waiting."""
        now_s = monotonic()
        due_s = max(free_s.get(machine.partition, now_s), now_s - CARRY_S)
        append = decide(machine) if due_s <= now_s else None
        if append is not None:
            free_s[machine.partition] = due_s + len(append.outcomes) / rate
        return append

    with patch.object(PartitionMachine, "decide", slowly):
        return inventory.run(WorkerSettings(), StockFold())


if __name__ == "__main__":
    sys.exit(main())
