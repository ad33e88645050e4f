"""A sale on the real broker without gateways: commands are appended directly, decisions read from the ledger."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.ids import customer_hash, hold_id, order_id
from domain.roles import Role
from domain.stock import Adjust, Open, Reserve, SetPolicy
from ops.audit.log_source import kafka_source
from ops.audit.report import Report
from ops.audit.verify import audit
from streams.kafka_log import KafkaLog
from streams.records import Fact, decode_fact
from streams.stock_records import BATCHES
from streams.topics import Ledger, partition_of
from tests.integration.counter import Counter, Load, loaded, now_ms
from tests.integration.harness import Stage, eventually

HOLD_MS = 600_000
PATIENCE_MS = 30_000


def sku_in(partition: int, partitions: int, name: str = "sku") -> str:
    """A SKU of that partition."""
    return next(sku for i in itertools.count() if partition_of(sku := f"{name}-{i}", partitions) == partition)


class Shop(Counter):
    """Sells from the stock ledger of a stage."""

    def __init__(self, stage: Stage, log: KafkaLog, sender: str = "shop") -> None:
        super().__init__(stage, log, Ledger.STOCK, BATCHES, sender)

    def sku(self, partition: int, name: str = "sku") -> str:
        return sku_in(partition, self.stage.partitions, name)

    def reserve(self, sku: str, key: str, *, customer: str = "", quantity: int = 1, not_after_ms: int = 0) -> Reserve:
        """A purchase by a customer of its own, unless named."""
        who = customer or f"customer of {key}"
        home = partition_of(sku, self.stage.partitions)
        order = order_id(self.stage.keys.customer, who, key, home)
        hashed = customer_hash(self.stage.keys.customer, who)
        return Reserve(hold_id(order), sku, hashed, quantity, not_after_ms or now_ms() + PATIENCE_MS, bytes(8))

    async def open(self, sku: str, units: int, *, limit: int = 65_535, hold_ms: int = HOLD_MS) -> int:
        """Create a SKU with units, on sale; the offset of the batch."""
        commands = (
            SetPolicy(sku, 0, 100, "EUR", limit, hold_ms, "key"),
            Adjust(sku, units, "initial", "test"),
            Open(sku, 1),
        )
        return await self.send(partition_of(sku, self.stage.partitions), *commands, role=Role.OPS)

    async def facts(self, partition: int) -> list[Fact]:
        return [
            decode_fact(record.value) async for record in self.log.read(self.topics.stock_events.name, partition, 0)
        ]

    async def verified(self, *, undecided: int = 0) -> Report:
        """Audit the whole log when everything is decided; it must be sound."""

        async def look() -> Report | None:
            report = await asyncio.to_thread(self._audit)
            return report if report.undecided <= undecided else None

        report = await eventually(look, within_s=20.0, every_s=0.2, what="everything decided")
        assert report.ok, report.violations
        return report

    def _audit(self) -> Report:
        with kafka_source(self.stage.servers, self.topics) as source:
            return audit(source)


@asynccontextmanager
async def load(shop: Shop, *skus: str, every_ms: int = 10, size: int = 5) -> AsyncIterator[Load]:
    """Reservations for as long as the block lasts, one batch to each of `skus`; afterwards everything is acked."""
    keys = itertools.count()

    def batches() -> list[tuple[int, bytes]]:
        return [
            (
                partition_of(sku, shop.stage.partitions),
                shop.batch(*(shop.reserve(sku, f"load-{next(keys)}") for _ in range(size))),
            )
            for sku in skus
        ]

    async with loaded(shop, batches, every_ms) as running:
        yield running
