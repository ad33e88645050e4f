"""Orders with their real payment agents and the stand-in as a process; stock and confirmation are by hand."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from domain.ids import order_text
from domain.orders import TO_COMPENSATION, TO_PAYMENT, Born
from domain.roles import Role
from streams.order_events import OrderEvent, decode
from tests.adapters.stand_in.process import StandInProcess
from tests.integration.desk import Desk
from tests.integration.harness import Program, Stage, eventually

MONEY = frozenset({*TO_PAYMENT, *TO_COMPENSATION})
"""What the agents answer: idle hands."""


class Bank:
    """`behaviour` of the stand-in, in the words of its setting."""

    def __init__(self, stage: Stage, desk: Desk, folder: Path, behaviour: str = "") -> None:
        self.stage = stage
        self.desk = desk
        words = [behaviour] if behaviour else []
        self.stand_in = StandInProcess(folder, "&".join(["reads_per_s=0", "writes_per_s=0", *words]))

    def agent(self, role: str, name: str, **settings: object) -> Program:
        payments = self.stand_in.address.replace("http://", "stand-in+http://")
        known = {"payments": payments, "calls_per_s": 0, "metrics_port": -1, "call_timeout_s": 10}
        return self.stage.program(name, "agents", role, worker=name, **{**known, **settings})

    def orders(self) -> Program:
        return self.stage.program("orders", "agents", "order", worker="orders", metrics_port=-1)

    def born(self, count: int, method: str = "pm_card_visa", name: str = "order") -> list[Born]:
        return [
            self.desk.born(number % self.stage.partitions, f"{name}-{number}", method=method) for number in range(count)
        ]

    async def open(self, born: Sequence[Born]) -> None:
        """Append them, a batch to each partition."""
        for partition in range(self.stage.partitions):
            mine = [one for one in born if one.order[0] << 8 | one.order[1] == partition]
            for start in range(0, len(mine), 100):
                await self.desk.send(partition, *mine[start : start + 100], role=Role.RELAY)

    async def states(self) -> dict[str, str]:
        """The public state of each order, by the last event."""
        found: dict[str, tuple[int, str]] = {}
        for event in await self.events():
            if event.version >= found.get(event.order, (0, ""))[0]:
                found[event.order] = (event.version, event.state)
        return {order: state for order, (_, state) in found.items()}

    async def events(self) -> list[OrderEvent]:
        records = [one for partition in range(self.stage.partitions) for one in await self.desk.events(partition)]
        decoded = [decode(record.headers, record.value) for record in records]
        return [event for event in decoded if isinstance(event, OrderEvent)]

    async def until(self, count: Counter[str], within_s: float) -> None:
        """Wait until so many orders are in these states."""

        async def there() -> bool:
            return Counter((await self.states()).values()) == count

        await eventually(there, within_s=within_s, every_s=0.5, what=f"{dict(count)}")

    async def check_money(self) -> None:
        """Captured once and whole for each confirmed order, and for no other; nothing else is alive."""
        states = await self.states()
        confirmed = {order for order, state in states.items() if state == "CONFIRMED"}
        charges = self.stand_in.charges()
        assert Counter(charge.order for charge in charges if charge.captured) == Counter(confirmed)
        assert all(charge.captured - charge.refunded == charge.amount for charge in charges if charge.captured)
        assert [charge for charge in charges if charge.status not in {"succeeded", "canceled"}] == []
        assert {charge.environment for charge in charges} == {self.stage.log_id.hex()}


def texts(born: Sequence[Born]) -> set[str]:
    return {order_text(one.order) for one in born}
