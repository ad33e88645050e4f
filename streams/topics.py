"""The catalogue of topics. P is equal for all, constant for the life of a log; records go to a partition by number."""

import re
from enum import StrEnum
from typing import NamedTuple

from aiokafka.partitioner import murmur2

DAY_MS = 86_400_000
RECORD_BYTES_MAX = 4 * 1024 * 1024
NAMESPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""What a namespace may look like; Kafka allows 249 characters of [A-Za-z0-9._-] for the whole topic name."""


class Topic(NamedTuple):
    """One topic and what the broker is asked for it."""

    name: str
    retention_ms: int
    cleanup: str = "delete"
    timestamp_type: str = "LogAppendTime"


class Ledger(StrEnum):
    """The ledgers of a log."""

    STOCK = "stock"
    ORDER = "order"


class LedgerTopics(NamedTuple):
    """One ledger: what its owners read and write. All else about it is its fold's."""

    name: Ledger
    commands: Topic
    ledger: Topic
    events: Topic
    dead_letters: Topic

    @property
    def role(self) -> str:
        """The program that owns it, and its consumer group."""
        return "inventory" if self.name is Ledger.STOCK else "order"


class Topics(NamedTuple):
    """The catalogue, its names in one namespace. Programs get theirs from `named(settings.namespace)`."""

    stock_commands: Topic
    stock_ledger: Topic
    stock_events: Topic
    stock_pools: Topic
    order_commands: Topic
    order_ledger: Topic
    order_events: Topic
    plan: Topic
    dead_letters: Topic

    @property
    def stock(self) -> LedgerTopics:
        """The ledger of the inventory role."""
        return self.of(Ledger.STOCK)

    @property
    def order(self) -> LedgerTopics:
        """The ledger of the order role."""
        return self.of(Ledger.ORDER)

    @property
    def ledgers(self) -> tuple[LedgerTopics, ...]:
        """Every ledger of this log."""
        return self.stock, self.order

    def of(self, ledger: Ledger) -> LedgerTopics:
        """The topics of one ledger."""
        if ledger is Ledger.STOCK:
            return LedgerTopics(ledger, self.stock_commands, self.stock_ledger, self.stock_events, self.dead_letters)
        return LedgerTopics(ledger, self.order_commands, self.order_ledger, self.order_events, self.dead_letters)


CATALOGUE = Topics(
    stock_commands=Topic("stock.commands", 14 * DAY_MS),
    stock_ledger=Topic("stock.ledger", -1),
    stock_events=Topic("stock.events", 7 * DAY_MS),
    stock_pools=Topic("stock.pools", -1, cleanup="compact"),
    order_commands=Topic("order.commands", 14 * DAY_MS),
    order_ledger=Topic("order.ledger", -1),
    order_events=Topic("order.events", 14 * DAY_MS),
    plan=Topic("plan", DAY_MS),
    dead_letters=Topic("dead.letters", 14 * DAY_MS),
)


def named(namespace: str) -> Topics:
    """The catalogue of one of several turnstiles on one cluster; "" is the plain one.

    ValueError for a namespace with other characters than a topic's name may have (a dot separates it).
    """
    if not namespace:
        return CATALOGUE
    _check(namespace)
    return Topics(*(topic._replace(name=f"{namespace}.{topic.name}") for topic in CATALOGUE))


def group_id(namespace: str, role: str) -> str:
    """The consumer group of a role's workers: `turnstile.inventory`, behind the namespace if there is one."""
    if not namespace:
        return f"turnstile.{role}"
    _check(namespace)
    return f"{namespace}.turnstile.{role}"


def _check(namespace: str) -> None:
    if not NAMESPACE.fullmatch(namespace):
        message = f"namespace {namespace!r}: 1 to 64 of a-z, 0-9, _ and -, not starting with _ or -"
        raise ValueError(message)


def partition_of(sku: str, partitions: int) -> int:
    """The partition of a pool: murmur2 of its UTF-8, as Kafka's default partitioner; always sent explicitly."""
    return (int(murmur2(sku.encode())) & 0x7FFFFFFF) % partitions
