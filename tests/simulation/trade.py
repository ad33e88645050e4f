"""How an order's world is: deadlines, shoppers, the provider's moods. Drawn from the seed like the weather."""

from random import Random
from typing import NamedTuple

from adapters.stand_in.behaviour import Behaviour
from domain.order_rules import OrderRules
from domain.payment_ask import Patience
from streams.payment_desk import Manners
from tests.simulation.weather import Weather

KEPT_MS = 30_000
"""How long the provider knows a key: 24 hours, scaled down. A create may be repeated for `key_ms`: what is between the
two has to be longer than an order waits for its money, and a call hangs."""


class Trade(NamedTuple):
    """Times in ms, scaled down from minutes to seconds; the rest are probabilities."""

    rules: OrderRules
    behaviour: Behaviour
    orders: int
    bundles: float
    partial: float
    cancel: float
    without_method: float
    bad_method: float
    challenge: float
    acts: float
    """Of a customer who is challenged by the bank."""
    another_method: float
    shipped: float
    expired_authorisations: float
    pending_refund: float
    strays: int
    """Intents for orders of nobody."""
    settled: float
    """By an operator who looked at the provider, while nobody answers."""
    outage_ms: int
    """Of the provider; a long one outlasts all other faults."""
    ack_on_receipt: bool
    """Whether the payment agents commit what they have read before they have done it."""
    agents_reassigned: float
    queued: float
    patience: Patience
    manners: Manners


def draw_trade(rng: Random, weather: Weather) -> tuple[Weather, Trade]:
    """The weather, as it is where orders are the matter, and the trade."""
    pick = rng.choice
    weather = weather._replace(
        partitions=pick((1, 2, 2, 3)),
        poison=0.0,
        hold_ms=pick((900, 2500, 12_000)),
        limit=pick((1, 2, 5)),
        load_ms=pick((2500, 4000, 6000)),
    )
    resume_ms = pick((400, 1000, 2500))
    rules = OrderRules(
        deadline_ms=pick((1500, 3000, 8000)),
        method_wait_ms=pick((1500, 3000)),
        hold_margin_ms=pick((50, 300)),
        queued_max_ms=pick((4000, 12_000)),
        hold_slack_ms=pick((100, 500)),
        attempts_max=pick((1, 2, 3)),
        resume_first_ms=resume_ms,
        resume_last_ms=resume_ms * pick((4, 8)),
        sweep_max=pick((1, 2, 96)),
        resume_max=pick((1, 2, 24)),
    )
    trouble = pick((0.0, 0.02, 0.1))
    behaviour = Behaviour(
        declines=pick((0.0, 0.1, 0.3)),
        slow=trouble,
        hang=trouble,
        answer_lost=trouble,
        request_lost=trouble,
        error_after=trouble,
        unavailable=trouble,
        slow_ms=pick((200, 1500)),
        hang_ms=pick((500, 3000)),
        latency_ms=pick((1, 30)),
        kept_ms=KEPT_MS,
        refund_ms=pick((300, 2000)),
        reads_per_s=0,
        writes_per_s=0,
        webhook_doubled=pick((0.0, 0.3)),
        webhook_lost=pick((0.0, 0.3)),
        webhook_late=pick((0.0, 0.3)),
        webhook_late_ms=pick((500, 4000)),
        webhook_shuffle_ms=pick((0, 300)),
    )
    return weather, Trade(
        rules=rules,
        behaviour=behaviour,
        orders=rng.randint(5, 16),
        bundles=pick((0.0, 0.3, 0.8)),
        partial=pick((0.0, 0.5)),
        cancel=pick((0.0, 0.15, 0.5)),
        without_method=pick((0.0, 0.2)),
        bad_method=pick((0.0, 0.2)),
        challenge=pick((0.0, 0.1)),
        acts=0.7,
        another_method=pick((0.0, 0.3, 0.8)),
        shipped=pick((0.3, 0.7)),
        expired_authorisations=pick((0.0, 0.0, 0.2)),
        pending_refund=pick((0.0, 0.2)),
        strays=pick((0, 0, 2)),
        settled=pick((0.0, 0.3)),
        outage_ms=pick((0,) * 11 + (3000,) * 4 + (15_000,)),
        ack_on_receipt=pick((False, True)),
        agents_reassigned=pick((0.0, 1.0, 3.0)),
        queued=pick((0.0, 0.0, 0.2)),
        patience=Patience(
            retries_ms=(60, 120, 240),
            again_max_ms=800,
            stale_ms=pick((1500, 3000)),
            key_ms=KEPT_MS - 20_000,
            lost_ms=KEPT_MS + 1000,
            before_ms=60_000,
            skew_ms=5000,
        ),
        manners=Manners(pick((100, 400)), pick((300, 900)), rules.resume_last_ms * 3 // 2),
    )
