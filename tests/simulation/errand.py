"""A few orders of every fate in a quiet world, in which one process is killed at one point of its work."""

from typing import Any

from domain.ids import order_id
from domain.order_rules import OrderRules
from domain.orders import ALL_LINES, Cancel, Deliver, Method, Phase, Refund, Ship, TakeBack
from domain.payment_ask import Patience
from domain.roles import Role
from domain.stock import Adjust, Open, SetPolicy
from streams.payment_desk import Manners
from tests.simulation.clerk import Clerk
from tests.simulation.journey import Journey
from tests.simulation.journey_mutation import JourneyMutation
from tests.simulation.operator import PRICE
from tests.simulation.process import Process
from tests.simulation.shopper import BAD_CARD, CHALLENGED_CARD, GOOD_CARD, Shopper, Wanted
from tests.simulation.trade import Trade
from tests.simulation.weather import Weather
from tests.simulation.world import KEY

UNITS = {"A": 50, "B": 50, "C": 1}
LOOK_MS = 50
CUSTOMER = bytes(8)
ONE = (("A", 1),)
TWO = (("A", 1), ("B", 2))
KEY_1, KEY_2 = b"wish-001", b"wish-002"


class Errand:
    """One order: its lines and card, and by phase what is wished for when it is there."""

    def __init__(self, lines: tuple[tuple[str, int], ...], method: str, **wishes: Any) -> None:
        self.lines = lines
        self.method = method
        self.wishes = {Phase(phase): wish for phase, wish in wishes.items()}


def _ship(order: bytes) -> Ship:
    return Ship(order, ALL_LINES, 0)


def _deliver(order: bytes) -> Deliver:
    return Deliver(order, ALL_LINES, 0)


def _cancel(order: bytes) -> Cancel:
    return Cancel(order, KEY_1, CUSTOMER)


ERRANDS = {
    "bought": Errand(ONE, GOOD_CARD),
    "bundle bought": Errand(TWO, GOOD_CARD),
    "sent back": Errand(
        TWO,
        GOOD_CARD,
        confirmed=_ship,
        shipped=_deliver,
        delivered=lambda order: TakeBack(order, KEY_1, ALL_LINES, 0, restock=True),
    ),
    "partly refunded": Errand(
        ONE, GOOD_CARD, confirmed=_ship, shipped=lambda order: Refund(order, KEY_2, 500, "goodwill")
    ),
    "cancelled when confirmed": Errand(ONE, GOOD_CARD, confirmed=_cancel),
    "cancelled before": Errand(ONE, "", pending=_cancel),
    "another card": Errand(ONE, BAD_CARD, pending=lambda order: Method(order, CUSTOMER, GOOD_CARD)),
    "no card": Errand(ONE, ""),
    "no answer to the bank": Errand(ONE, CHALLENGED_CARD),
    "too much": Errand((("A", 1), ("C", 2)), GOOD_CARD),
}


class Storeman(Clerk):
    """Opens with the same units in every run, and plans nothing else."""

    def open_sale(self) -> None:
        for sku, part in self.world.skus.items():
            policy = SetPolicy(sku, 0, PRICE, "EUR", 50, 12_000, "key1")
            self.sender.send(part, Role.OPS, [policy, Adjust(sku, UNITS[sku], "initial", "")])
            self.sender.send(part, Role.OPS, [Open(sku, 1)])

    def plan(self) -> None:
        """Nothing."""


class KilledOnce(Journey):
    """Killed at `point` when it is reached for the `first` time, or then and the time after; "" = nowhere.

    `points`: how often each was reached.
    """

    def __init__(self, point: str = "", first: int = 1, times: int = 1) -> None:
        self._point = point
        self._killed_at = range(first, first + times)
        self.points: dict[str, int] = {}
        self._wished: set[tuple[bytes, Phase]] = set()
        super().__init__(1, JourneyMutation())
        self.faulty = False

    def draw_weather(self) -> Weather:
        weather = super().draw_weather()
        behaviour = type(self.trade.behaviour)(latency_ms=2, reads_per_s=0, writes_per_s=0)
        self.trade = Trade(
            rules=OrderRules(
                deadline_ms=6000, method_wait_ms=3000, hold_margin_ms=100, resume_first_ms=700, resume_last_ms=3000
            ),
            behaviour=behaviour,
            orders=0,
            bundles=0.0,
            partial=0.0,
            cancel=0.0,
            without_method=0.0,
            bad_method=0.0,
            challenge=0.0,
            acts=0.0,
            another_method=0.0,
            shipped=0.0,
            expired_authorisations=0.0,
            pending_refund=0.0,
            strays=0,
            settled=0.0,
            outage_ms=0,
            ack_on_receipt=True,
            agents_reassigned=0.0,
            queued=0.0,
            patience=Patience(retries_ms=(100, 200, 400), again_max_ms=800),
            manners=Manners(100, 300, 60_000),
        )
        return weather._replace(
            partitions=2, takeover_ms=60, tail_ms=20, publish_ms=5, hold_ms=12_000, limit=50, load_ms=2000
        )

    def new_operator(self) -> Storeman:
        return Storeman(self)

    def reached(self, point: str, process: Process) -> None:
        who = "owner" if process.name.startswith("w") else process.name.rstrip("0123456789")
        if who == "g":
            who = "gateway"
        name = f"{who}, {point}"
        self.points[name] = self.points.get(name, 0) + 1
        if name == self._point and self.points[name] in self._killed_at:
            process.crash(100)

    def open_doors(self) -> None:
        self.provider.start()
        self.errands: dict[str, bytes] = {}
        for number, (name, errand) in enumerate(ERRANDS.items()):
            home = self.skus[errand.lines[0][0]].partition
            order = self.errands[name] = order_id(KEY, name, "key", home)
            shopper = Shopper(self, Wanted(order, self.orders[home], CUSTOMER, errand.lines, partial=False))
            shopper.pay_with(errand.method)
            self.shoppers.append(shopper)
            self.at(300 + 60 * number, shopper.buy.send)
        self.at(LOOK_MS, self._look)

    def _look(self) -> None:
        """Wishes come when their order is where they belong."""
        for name, order in self.errands.items():
            row = self.home(order).referee.rows.rows.get(order)
            wish = ERRANDS[name].wishes.get(row.phase) if row else None
            if wish and row and (order, row.phase) not in self._wished:
                self._wished.add((order, row.phase))
                command = wish(order)
                operators = isinstance(command, Ship | Deliver | TakeBack | Refund)
                self.operator.sender.send(self.home(order), Role.OPS if operators else Role.GATEWAY, [command])
        self.at(self.now_ms + LOOK_MS, self._look)

    def picture(self) -> dict[str, Any]:
        """What everything came to: orders, units, money, the record."""
        orders = {}
        for name, order in self.errands.items():
            row = self.home(order).referee.rows.rows[order]
            text = self.text(order)
            charges = sorted((c.attempt, c.captured, c.refunded, c.status) for c in self.provider.charges_of(text))
            record = self.sql[text]
            orders[name] = (row.phase, row.letters, row.captured, row.refunded, charges, record.state, record.captured)
        pools = {sku: pool for part in self.stock for sku, pool in part.referee.rows.pools.items()}
        units = {sku: (pool.received, pool.held, pool.sold, pool.written_off) for sku, pool in pools.items()}
        return {"orders": orders, "units": units}
