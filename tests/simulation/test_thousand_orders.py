"""A thousand orders: a fifth is declined, a tenth of all calls tells nothing, webhooks are doubled and shuffled."""

import pytest

from adapters.stand_in.behaviour import Behaviour
from tests.simulation.clerk import Clerk
from tests.simulation.journey import Journey
from tests.simulation.journey_mutation import JourneyMutation
from tests.simulation.trade import KEPT_MS
from tests.simulation.weather import Weather

ORDERS = 1_000
UNITS = 380
BEHAVIOUR = Behaviour(
    declines=0.2,
    slow=0.01,
    hang=0.01,
    request_lost=0.01,
    error_after=0.01,
    unavailable=0.01,
    answer_lost=0.05,
    slow_ms=1500,
    hang_ms=2500,
    latency_ms=20,
    kept_ms=KEPT_MS,
    reads_per_s=0,
    writes_per_s=0,
    webhook_doubled=0.5,
    webhook_shuffle_ms=3000,
)


class Storeman(Clerk):
    """Enough for most: 1,000 orders of about 1.5 units out of 3 SKUs."""

    def restock(self, sku: str) -> None:
        """Nothing comes during the sale."""

    def open_sale(self) -> None:
        for sku in self.world.skus:
            self.first_units[sku] = UNITS
        super().open_sale()


class ThousandOrders(Journey):
    """Nothing but the provider goes wrong."""

    def __init__(self) -> None:
        super().__init__(3, JourneyMutation())
        self.faulty = False
        self._scheduler.events_max = 5_000_000

    def draw_weather(self) -> Weather:
        weather = super().draw_weather()
        rules = self.trade.rules._replace(
            deadline_ms=8000, hold_margin_ms=300, attempts_max=3, resume_first_ms=1000, resume_last_ms=8000
        )
        self.trade = self.trade._replace(
            rules=rules,
            behaviour=BEHAVIOUR,
            orders=ORDERS,
            bundles=0.2,
            partial=0.2,
            cancel=0.05,
            without_method=0.0,
            bad_method=0.0,
            challenge=0.02,
            another_method=0.3,
            shipped=0.2,
            outage_ms=0,
            expired_authorisations=0.0,
            queued=0.0,
        )
        return weather._replace(partitions=2, hold_ms=12_000, limit=ORDERS, load_ms=15_000, publish_ms=5, tail_ms=20)

    def new_operator(self) -> Storeman:
        return Storeman(self)


@pytest.mark.slow
def test_none_is_charged_twice_none_is_stuck_and_the_book_the_ledger_and_the_record_agree():
    world = ThousandOrders()
    world.run()
    counts = world.counts
    ends = {name.removeprefix("end: "): times for name, times in counts.items() if name.startswith("end: ")}
    good = ends["confirmed"] + ends["delivered"] + ends.get("shipped", 0)
    assert sum(ends.values()) > ORDERS * 0.8
    assert good > 400
    assert min(ends["expired"], ends["cancelled"], ends["rejected"]) > 0
    assert counts["authorise: declined"] > 100
    assert counts["calls lost"] > 100
    assert counts["calls timed out"] > 30
    assert counts["hints"] > 1500
    captured = sum(charge.captured - charge.refunded for charge in world.provider.book.charges())
    assert captured == sum(record.captured - record.refunded for record in world.sql.values())
    assert captured == sum(
        row.captured - row.refunded for part in world.orders for row in part.referee.rows.rows.values()
    )
