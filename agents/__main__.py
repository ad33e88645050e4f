"""`python -m agents ROLE`: the composition root of the roles. A role's module is imported when that role is started."""

import argparse
import importlib
import sys
from typing import Any, NamedTuple

from pydantic import ValidationError

from agents import exits
from settings import (
    AgentSettings,
    ConfirmationSettings,
    PaymentSettings,
    RelaySettings,
    SnapshotSettings,
    WorkerSettings,
    problems,
)
from streams.logs import LoggingSetupError


class Role(NamedTuple):
    """A row of ROLES: `module` has `run(settings) -> int`, which returns an exit code (agents/exits.py)."""

    module: str
    settings: type[AgentSettings]
    help: str


ROLES = {
    "inventory": Role("agents.inventory", WorkerSettings, "decides who gets what"),
    "order": Role("agents.order", WorkerSettings, "decides what becomes of orders"),
    "snapshot": Role("agents.snapshot", SnapshotSettings, "puts a partition's state down, for an owner role"),
    "relay": Role("agents.relay", RelaySettings, "passes on between stock and orders"),
    "confirmation": Role("agents.confirmation", ConfirmationSettings, "copies orders into SQL, and sends mail"),
    "payment": Role("agents.payment", PaymentSettings, "authorises and captures at the provider"),
    "compensation": Role("agents.compensation", PaymentSettings, "voids and refunds at the provider"),
}


def main() -> int:
    """Run a role until it is asked to stop."""
    parser = argparse.ArgumentParser(prog="python -m agents", description="Run one role of turnstile.")
    lines = "; ".join(f"{name}: {role.help}" for name, role in ROLES.items())
    parser.add_argument("role", choices=ROLES, metavar="ROLE", help=lines)
    role = ROLES[parser.parse_args().role]
    try:
        code: int = load(role).run(role.settings())
    except ValidationError as error:
        sys.stderr.write(f"{problems(error)}\n")
        return exits.CONFIGURATION
    except LoggingSetupError as error:
        sys.stderr.write(f"{error}\n")
        return exits.CONFIGURATION
    return code


def load(role: Role) -> Any:
    """The module of a role: no other role's, which this process would carry for nothing."""
    return importlib.import_module(role.module)


if __name__ == "__main__":
    sys.exit(main())
