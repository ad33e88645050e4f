"""`python -m agents ROLE`: the composition root of the roles."""

import argparse
import sys

from pydantic import ValidationError

from agents import exits, inventory
from settings import WorkerSettings
from tables.stock import StockFold


def main() -> int:
    """Run a role until it is asked to stop."""
    parser = argparse.ArgumentParser(prog="python -m agents", description="Run one role of turnstile.")
    parser.add_argument("role", choices=["inventory"], help="inventory: decides who gets what")
    parser.parse_args()
    try:
        settings = WorkerSettings()
    except ValidationError as error:
        sys.stderr.write(f"{error}\n")
        return exits.CONFIGURATION
    return inventory.run(settings, StockFold())


if __name__ == "__main__":
    sys.exit(main())
