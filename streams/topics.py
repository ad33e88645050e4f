"""The catalogue of topics. P is equal for all, constant for the life of a log; records go to a partition by number."""

from typing import NamedTuple

from aiokafka.partitioner import murmur2

DAY_MS = 86_400_000
RECORD_BYTES_MAX = 4 * 1024 * 1024


class Topic(NamedTuple):
    """One topic and what the broker is asked for it."""

    name: str
    retention_ms: int
    cleanup: str = "delete"
    timestamp_type: str = "LogAppendTime"


STOCK_COMMANDS = Topic("stock.commands", 14 * DAY_MS)
STOCK_LEDGER = Topic("stock.ledger", -1)
STOCK_EVENTS = Topic("stock.events", 7 * DAY_MS)
STOCK_POOLS = Topic("stock.pools", -1, cleanup="compact")
PLAN = Topic("plan", DAY_MS)
DEAD_LETTERS = Topic("dead.letters", 14 * DAY_MS)

CATALOGUE = (STOCK_COMMANDS, STOCK_LEDGER, STOCK_EVENTS, STOCK_POOLS, PLAN, DEAD_LETTERS)


def partition_of(sku: str, partitions: int) -> int:
    """The partition of a pool: murmur2 of its UTF-8, as Kafka's default partitioner; always sent explicitly."""
    return (int(murmur2(sku.encode())) & 0x7FFFFFFF) % partitions
