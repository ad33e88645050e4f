"""A world in which orders are bought, paid, confirmed, shipped and undone: both ledgers, all agents, a provider."""

from typing import Any

from domain.ids import order_id, order_text
from domain.orders import Ship
from streams.order_publication import records_of
from tests.simulation.agent import Program
from tests.simulation.clerk import Clerk
from tests.simulation.confirmation import Confirmation, Record
from tests.simulation.journey_mutation import JourneyMutation
from tests.simulation.order_audit import compare
from tests.simulation.order_referee import SOURCE, OrderReferee
from tests.simulation.part import Part
from tests.simulation.payer import Compensator, Payer
from tests.simulation.provider import Provider
from tests.simulation.relay import Relay
from tests.simulation.shopper import Shopper, Wanted
from tests.simulation.trade import Trade, draw_trade
from tests.simulation.weather import Weather, draw
from tests.simulation.world import CUSTOMERS, KEY, SKUS, World


class OrderPart(Part):
    """Of the order ledger: many records of its events log tell of one of the ledger's."""

    def records_of(self, fact: bytes) -> list[bytes]:
        """The events' values."""
        return [record.value for record in records_of(SOURCE, self.partition, fact)]


class Journey(World):
    """See World; `trade` is to orders what the weather is to the ledgers."""

    mutation: JourneyMutation
    operator: Clerk
    trade: Trade

    def draw_weather(self) -> Weather:
        weather, trade = draw_trade(self.rng, draw(self.rng))
        self.trade = self.mutation.trade(trade)
        return weather

    def new_operator(self) -> Clerk:
        return Clerk(self)

    def add_parts(self) -> None:
        fold = self.mutation.order_fold(self.trade.rules)
        partitions = range(self.weather.partitions)
        self.orders = [self.add_part(fold, partition, OrderReferee, OrderPart) for partition in partitions]

    def add_agents(self) -> None:
        self.environment = self.log_id.hex()
        self.provider = Provider(self)
        self.sql: dict[str, Record] = {}
        self.shoppers: list[Shopper] = []
        self.programs = [
            Program(self, "relay", self.parts, Relay),
            Program(self, "payment", self.orders, Payer),
            Program(self, "compensation", self.orders, Compensator),
            Program(self, "confirmation", self.orders, Confirmation),
        ]
        self.agents = [agent for program in self.programs for agent in program.agents]

    def new_view(self, part: Part) -> Any:
        return self.mutation.order_view() if part in self.orders else super().new_view(part)

    def forged(self, part: Part) -> Any:
        return Ship(bytes(16), -1, 0) if part in self.orders else super().forged(part)

    # --- what the parts ask of the world ----------------------------------------------------------------------------

    def home(self, order: bytes) -> Part:
        """Where an order lives."""
        return self.orders[(order[0] << 8 | order[1]) % len(self.orders)]

    def text(self, order: bytes) -> str:
        """As clients see it."""
        return order_text(order)

    def money(self, order: bytes) -> tuple[int, int]:
        """Captured and refunded, by the provider's book."""
        charges = self.provider.charges_of(order_text(order))
        return sum(one.captured for one in charges), sum(one.refunded for one in charges)

    # --- the run --------------------------------------------------------------------------------------------------

    def open_doors(self) -> None:
        rng, trade = self.rng, self.trade
        self.provider.start()
        for number in range(trade.orders):
            count = rng.randint(2, len(SKUS)) if rng.random() < trade.bundles else 1
            lines = tuple((sku, rng.choice((1, 1, 1, 2))) for sku in sorted(rng.sample(SKUS, count)))
            customer = rng.randrange(CUSTOMERS)
            home = self.skus[lines[0][0]].partition
            order = order_id(KEY, f"c{customer}", f"k{number}", home)
            partial = rng.random() < trade.partial
            wanted = Wanted(order, self.orders[home], customer.to_bytes(8, "big"), lines, partial)
            shopper = Shopper(self, wanted)
            self.shoppers.append(shopper)
            self.at(rng.randint(50, self.weather.load_ms), shopper.come)
            self.operator.serve(wanted)
        self._shuffle_agents()

    def _shuffle_agents(self) -> None:
        if not self.faulty:
            return
        rng = self.rng
        if self.trade.agents_reassigned:
            program = rng.choice(self.programs)
            program.reassign(rng.choice(program.parts), rng.choice(program.agents))
            delay_ms = rng.expovariate(self.trade.agents_reassigned) * 1000
            self.at(self.now_ms + int(delay_ms) + 1, self._shuffle_agents)

    def _calm(self) -> None:
        super()._calm()
        self.provider.calm()

    def restless(self) -> str:
        for agent in self.agents:
            why = agent.behind() if hasattr(agent, "behind") else ""
            if why:
                return why
        return self.provider.restless()

    def compare(self) -> None:
        compare(self)


def journey(seed: int, mutation: JourneyMutation | None = None, *, traced: bool = False) -> Journey:
    """Run one seed to its end; ViolationError."""
    world = Journey(seed, mutation or JourneyMutation(), traced=traced)
    world.run()
    return world
