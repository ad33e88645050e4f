"""Which programs a system consists of, and with which settings each is started."""

from typing import NamedTuple

from ops.supervisor import Program, python_module
from settings import Shared, environment_with
from streams import keys
from streams.topics import Ledger

HOST = "127.0.0.1"
AGENTS: tuple[str, ...] = ("relay", "payment", "compensation", "confirmation")
"""Roles of which one runs: stateless, so a restart is all the standby that they need."""
STAND_IN = "stand-in"
IN_PROCESS = "stand-in://"
"""TURNSTILE_PAYMENTS of this scheme: the system runs the stand-in, with the behaviour in the query."""


class Shape(NamedTuple):
    """How many owners of stock (`workers`) and of `orders`, and the gateways' ports (0 = a free one each).

    Without owners of orders there are no agents and no payments either: stock alone. `extra`: settings of all programs.
    """

    workers: int
    ports: tuple[int, ...]
    extra: dict[str, object]
    orders: int = 2


class Roster:
    """What runs, and what it takes to be ready: `ledgers` that are owned, `agents` that serve, gateways at `urls`.

    `ports`: of the gateways; `stand_in_port`: for the stand-in, if the settings ask for one.
    """

    def __init__(
        self, settings: Shared, shape: Shape, partitions: int, ports: tuple[int, ...], stand_in_port: int
    ) -> None:
        own = settings.payments.startswith(IN_PROCESS) and shape.orders > 0
        self.agents = AGENTS if shape.orders else ()
        self.ledgers = tuple(Ledger) if shape.orders else (Ledger.STOCK,)
        self.urls = [f"http://{HOST}:{port}" for port in ports]
        self.payments = f"stand-in+http://{HOST}:{stand_in_port}" if own else settings.payments
        self._shared: dict[str, object] = {
            "broker": settings.broker,
            "namespace": settings.namespace,
            "data_dir": settings.data_dir,
            "partitions": partitions,
            "payments": self.payments,
            "log_format": "json",
            **shape.extra,
        }
        owners = {
            **{f"worker-{number}": "inventory" for number in range(1, shape.workers + 1)},
            **{f"order-{number}": "order" for number in range(1, shape.orders + 1)},
        }
        secret = keys.webhook_secret(settings.data_dir) if own else ""
        self.programs = [
            *(self._program(name, ("agents", role), 2, {"worker": name}) for name, role in owners.items()),
            *(self._program(role, ("agents", role), 1, {"worker": role}) for role in self.agents),
        ]
        for number, port in enumerate(ports, 1):
            name = f"gateway-{number}"
            mine: dict[str, object] = {"gateway": name, "host": HOST, "port": port}
            mine |= {"webhook_secrets": secret} if own else {}
            self.programs.append(self._program(name, ("gateway",), 0, mine))
        if own:
            mine = {"stand_in_port": stand_in_port, "stand_in_webhook_secret": secret}
            mine |= {"stand_in_webhook_url": f"{self.urls[0]}/v1/webhooks/stripe"} if ports else {}
            if behaviour := settings.payments.removeprefix(IN_PROCESS).removeprefix("?"):
                mine["stand_in_behaviour"] = behaviour
            self.programs.append(self._program(STAND_IN, ("adapters.stand_in",), 3, mine))

    def _program(self, name: str, module: tuple[str, ...], rank: int, own: dict[str, object]) -> Program:
        return Program(name, python_module(*module), environment_with({**self._shared, **own}), rank)
