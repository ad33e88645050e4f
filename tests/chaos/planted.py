"""An inventory worker with a planted bug: `python -m tests.chaos.planted decide|evolve SKU`.

The bug is in the fold's own code, met by every command that would be granted units of SKU.
"""

import sys
from unittest.mock import patch

from agents import inventory
from domain.evolve import EVOLVE
from domain.inventory import decide, decide_run
from domain.stock import Granted, Reserve
from settings import WorkerSettings
from tables.stock import StockFold


class PlantedError(Exception):
    """The planted bug."""


def main() -> int:
    where, sku = sys.argv[1:]

    def deciding(state, command, *rest):
        if type(command) is Reserve and command.sku == sku:
            raise PlantedError(sku)
        return decide(state, command, *rest)

    def deciding_run(state, run, role):
        if any(offer[0] == sku for offer in run.offers):
            raise PlantedError(sku)
        return decide_run(state, run, role)

    granted = EVOLVE[Granted]

    def evolving(state, changes):
        granted(state, changes)
        if any(change.sku == sku for change in changes):
            raise PlantedError(sku)

    if where == "decide":
        plant = patch.multiple("tables.stock", decide=deciding, decide_run=deciding_run)
    else:
        plant = patch.dict(EVOLVE, {Granted: evolving})
    with plant:
        return inventory.run(WorkerSettings(), StockFold())


if __name__ == "__main__":
    sys.exit(main())
