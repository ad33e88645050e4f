"""The inventory role: owns partitions of the stock ledger and decides who gets what."""

from functools import partial
from typing import Any

from agents.owner import OwnerRole, own
from agents.stock_facts import StockFacts
from settings import WorkerSettings
from streams.fold import Fold
from streams.topics import named
from tables.stock import StockFold


def run(settings: WorkerSettings, fold: Fold[Any] | None = None) -> int:
    """Run until asked to stop; the exit code (agents/exits.py). A test may give a fold with a planted bug."""
    topics = named(settings.namespace)
    facts = partial(StockFacts, topics.stock_events.name, topics.stock_pools.name)
    role = OwnerRole("inventory", fold or StockFold(), facts, topics.stock, (topics.stock_pools,))
    return own(settings, topics, role)
