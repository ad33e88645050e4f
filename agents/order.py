"""The order role: owns partitions of the order ledger and decides what becomes of orders."""

from functools import partial
from typing import Any

from agents.order_facts import OrderFacts
from agents.owner import OwnerRole, own
from settings import WorkerSettings
from streams.fold import Fold
from streams.order_events import source_of
from streams.topics import named
from tables.orders import OrderFold


def run(settings: WorkerSettings, fold: Fold[Any] | None = None) -> int:
    """Run until asked to stop; the exit code (agents/exits.py). A test may give a fold with a planted bug."""
    topics = named(settings.namespace)
    facts = partial(OrderFacts, topics.order_events.name, source_of(settings.namespace))
    return own(settings, topics, OwnerRole("order", fold or OrderFold(), facts, topics.order))
