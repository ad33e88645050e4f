"""Stock, orders and the relay between them as processes on a real broker; the payment's answers are the test's."""

from collections import Counter

import pytest

from domain.ids import customer_hash, order_id, order_text
from domain.orders import Cancel, PayAnswered, Place, PlacedLine
from domain.outcomes import Outcome
from domain.payment import Operation, PayOutcome
from domain.roles import Role
from domain.stock import CHANGES, Released, Reserve
from streams.carried import Carried, encode_carried
from streams.order_events import OrderEvent, decode
from streams.records import decode_decided
from streams.stock_records import decode_details, decode_totals
from streams.topics import partition_of
from tests.integration.counter import now_ms
from tests.integration.desk import Desk
from tests.integration.harness import Program, Stage, eventually
from tests.integration.shop import Shop, load

pytestmark = pytest.mark.integration


class Journey:
    """A shop, a desk, and what orders come to."""

    def __init__(self, stage: Stage, log) -> None:
        self.stage = stage
        self.shop = Shop(stage, log)
        self.desk = Desk(stage, log)

    def inventory(self) -> Program:
        return self.stage.worker("w1", metrics_port=-1)

    def orders(self, name: str = "o1") -> Program:
        return self.stage.program(name, "agents", "order", worker=name, metrics_port=-1)

    def relay(self, name: str = "r1") -> Program:
        return self.stage.program(name, "agents", "relay", worker=name, metrics_port=-1)

    def reserve(self, sku: str, key: str) -> Reserve:
        return self.shop.reserve(sku, key)._replace(carried=encode_carried(Carried("pm_card_visa")))

    def place(self, key: str, *skus: str) -> Place:
        """One unit of each, for a customer of its own."""
        lines = tuple(
            PlacedLine(number, sku, partition_of(sku, self.stage.partitions), 1)
            for number, sku in enumerate(sorted(skus), start=1)
        )
        customer = customer_hash(self.stage.keys.customer, key)
        order = order_id(self.stage.keys.customer, key, key, lines[0].partition)
        return Place(order, customer, bytes(8), False, now_ms() + 30_000, lines, "pm_card_visa", b"")

    async def events(self, order: bytes) -> list[OrderEvent]:
        """Of one order, in order, each once."""
        records = await self.desk.events(order[0] << 8 | order[1])
        told = [decode(record.headers, record.value) for record in records]
        mine = [event for event in told if isinstance(event, OrderEvent) and event.order == order_text(order)]
        return sorted({(event.offset, event.index): event for event in mine}.values(), key=lambda one: one.offset)

    async def reaches(self, order: bytes, state: str, *asks: str) -> OrderEvent:
        """Wait for an event in this state that asks for these, and no others."""

        async def look() -> OrderEvent | None:
            found = await self.events(order)
            return next((e for e in found if e.state == state and [ask.kind for ask in e.asks] == list(asks)), None)

        return await eventually(look, within_s=20, every_s=0.1, what=f"{state} asking {asks}")

    async def totals(self, *skus: str) -> dict[str, tuple[int, int, int]]:
        """(available, held, sold) after the last decision about each."""
        found = {}
        for sku in skus:
            decisions = await self.shop.decisions(partition_of(sku, self.stage.partitions))
            told = [total for one in decisions for total in decode_totals(one.decided.details) if total.sku == sku]
            found[sku] = told[-1][2:5] if told else (0, 0, 0)
        return found

    async def come_to(self, wanted: dict[str, tuple[int, int, int]]) -> None:
        async def look() -> bool:
            return await self.totals(*wanted) == wanted

        await eventually(look, within_s=20, every_s=0.3, what=f"pools to be {wanted}")


@pytest.fixture
def journey(stage, log) -> Journey:
    return Journey(stage, log)


async def test_an_order_is_born_of_its_grant_committed_when_it_is_paid_and_released_when_it_is_cancelled(journey):
    sku = journey.shop.sku(1)
    with journey.inventory(), journey.orders(), journey.relay() as relay:
        await journey.shop.open(sku, 3)
        nonsense = await journey.shop.log.append(journey.stage.topics.stock_events.name, 1, b"no fact")
        bought, dropped = journey.reserve(sku, "k1"), journey.reserve(sku, "k2")
        await journey.shop.send(1, bought, dropped)
        orders = [one.hold[:16] for one in (bought, dropped)]
        for order in orders:
            asked = (await journey.reaches(order, "PAYMENT_PENDING", "authorise")).asks[0]
            assert (asked.method, asked.authorised, asked.currency) == ("pm_card_visa", 100, "EUR")
        authorised = PayAnswered(orders[0], 1, Operation.AUTHORISE, PayOutcome.AUTHORISED, "pi_1", 100)
        await journey.desk.send(1, authorised, role=Role.PAYMENT)
        await journey.desk.send(1, Cancel(orders[1], b"c" * 8, b""), role=Role.OPS)
        await journey.reaches(orders[0], "PAYMENT_PENDING", "capture")
        await journey.come_to({sku: (2, 0, 1)})
        await relay.until_logged("dead-letter.written", partition=1, offset=nonsense.offset)
        assert relay.stop() == 0
    await journey.desk.verified()


async def test_of_bundles_that_compete_for_the_last_units_one_wins_and_nothing_leaks(journey):
    first, second, third = journey.shop.sku(0, "a"), journey.shop.sku(2, "b"), journey.shop.sku(3, "c")
    with journey.inventory(), journey.orders(), journey.relay():
        for sku in (first, second, third):
            await journey.shop.open(sku, 1)
        placed = [journey.place(f"k{number}", first, second, third) for number in range(5)]
        placed.append(journey.place("k5", second, first))
        await journey.desk.send(0, *placed)
        states = Counter([await ended(journey, place.order) for place in placed])
        assert states == {"PAYMENT_PENDING": 1, "REJECTED": 5}
        (winner,) = [place for place in placed if await ended(journey, place.order) == "PAYMENT_PENDING"]
        taken = {line.sku for line in winner.lines}
        await journey.come_to({sku: (0, 1, 0) if sku in taken else (1, 0, 0) for sku in (first, second, third)})
        await journey.desk.send(0, Cancel(winner.order, b"c" * 8, b""), role=Role.OPS)
        await journey.come_to(dict.fromkeys((first, second, third), (1, 0, 0)))
    await journey.desk.verified()


async def ended(journey: Journey, order: bytes) -> str:
    """The state in which nothing more happens by itself: it waits for its payment, or is over."""

    async def look() -> str:
        states = [event.state for event in await journey.events(order)]
        return next((state for state in states if state in {"PAYMENT_PENDING", "REJECTED"}), "")

    return await eventually(look, within_s=30, every_s=0.1, what="an order to be held or rejected")


async def test_dead_orders_stop_no_stock_and_what_they_are_born_too_late_for_is_let_go(journey):
    short, sku = journey.shop.sku(1, "short"), journey.shop.sku(1)
    with journey.inventory():
        await journey.shop.open(short, 5, hold_ms=1_000)
        await journey.shop.decision(1, await journey.shop.open(sku, 100_000))
        late = [journey.reserve(short, f"late-{number}") for number in range(3)]
        await journey.shop.send(1, *late)
        await journey.come_to({short: (5, 0, 0)})
        before = len(await journey.shop.decisions(1))
        with journey.relay():
            async with load(journey.shop, sku) as running:  # nobody decides orders all the while
                await eventually(lambda: running.sent > 200, within_s=20)
            held = 5 * running.sent
            await journey.come_to({sku: (100_000 - held, held, 0)})
            assert await journey.shop.gap_ms(1, before) < 2_000
            with journey.orders():
                await eventually(lambda: born(journey, held), within_s=30, every_s=0.5, what="all births")
                await eventually(lambda: released(journey, 1, *late), within_s=30, every_s=0.5, what="late ones let go")
    await journey.desk.verified()


async def released(journey: Journey, partition: int, *asked: Reserve) -> bool:
    """Whether these holds, and no others, were let go."""
    details = [decode_details(decode_decided(fact.body).details) for fact in await journey.shop.facts(partition)]
    runs = [run for one in details for run in one.changes if CHANGES[run.kind] is Released]
    holds = {change.hold for run in runs for change in run.items}
    assert holds <= {one.hold for one in asked}
    return holds == {one.hold for one in asked}


async def born(journey: Journey, count: int) -> bool:
    """Whether so many orders, and not more, were born in partition 1."""
    _, _, outcomes = await journey.desk.accepted(1)
    assert outcomes[Outcome.BORN] <= count
    return outcomes[Outcome.BORN] == count


async def test_a_relay_that_is_killed_leaves_no_grant_without_an_order(journey):
    sku = journey.shop.sku(1)
    with journey.inventory(), journey.orders(), journey.relay("r1") as first, journey.relay("r2") as second:
        await journey.shop.open(sku, 100_000)
        for relay in (first, second):
            await relay.until_logged("program.ready")
        async with load(journey.shop, sku) as running:
            await eventually(lambda: running.sent > 50, within_s=20)
            first.kill()
            await eventually(lambda: running.sent > 100, within_s=20)
            second.kill()
            first.start()
        await eventually(lambda: born(journey, 5 * running.sent), within_s=40, every_s=0.5, what="all births")
    await journey.desk.verified()
