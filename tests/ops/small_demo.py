"""A demo of ten shoppers in memory: an honest log, and what each shopper was told, as a gateway would have told it."""

import json
from typing import Any

from domain import orders as o
from domain.ids import Receipt, customer_hash, hold_id, order_id, order_text
from domain.outcomes import REPEATED, Outcome
from domain.roles import Role
from domain.stock import Commit, Granted, Release, Reserve
from gateway.times import rfc3339
from ops.audit.journey import Money
from ops.audit.partition import Options as Audited
from ops.audit.source import Entry, MemorySource
from ops.audit.verify import audit
from ops.demo.answers import Answer, Ending, Told
from ops.demo.history import read
from ops.demo.orders import Orders
from ops.demo.plan import Options, sku_names
from ops.demo.verdict import Evidence, Kill
from streams.keys import Keys
from streams.records import Decided
from streams.stock_records import decode_details
from tests.ops.honest_log import LOG_ID, PRINT, HonestLog
from tests.ops.honest_orders import PRICE, HonestOrders

KEYS = Keys(b"t" * 32, b"c" * 32)
OPTIONS = Options(shoppers=10, units=2, skus=1)
SKU = sku_names(OPTIONS)[0]


class SmallDemo:
    """Shoppers 0 to 9 come one by one; 0 and 1 get a hold, 0 cancels, 5 gets that unit; after five, the owner dies."""

    def __init__(self, *, late: bool = False) -> None:
        self.log = HonestLog()
        self.orders = HonestOrders()
        self.answers: list[Answer] = []
        self.endings: list[Ending] = []
        self.book: list[Money] = []
        self.kill = Kill("worker-1", 4711, 0, "SIGKILL")
        self.log.claim("worker-1")
        self.orders.claim("order-1")
        self.log.open_sale(SKU, units=OPTIONS.units, limit=1, hold_ms=10_000)
        for number in range(5):
            self.buy(number)
        self.buy(2, repeat=True)
        self.cancel(0)
        self.kill = self.kill._replace(at_ms=self.log.now_ms)
        self.buy(5, takeover=True)
        for number in range(6, 10):
            self.buy(number)
        self.buy(1, repeat=True)
        self.pay(1)
        if late:  # 5 comes when the order has expired and 6, with a new key, has bought that unit
            self.log.now_ms += 11_000
            self.buy(6, key="again-6")
            self.pay(6, key="again-6")
            self.too_late(5)
        else:
            self.pay(5)

    def buy(self, number: int, *, repeat: bool = False, takeover: bool = False, key: str = "") -> Decided:
        customer = f"shopper-{number}"
        key = key or f"first-{number}"
        order = self.order(number, key)
        reserve = Reserve(
            hold_id(order), SKU, customer_hash(KEYS.customer, customer), 1, self.log.now_ms + 30_000, PRINT
        )
        self.log.send(reserve)
        if takeover:
            self.log.now_ms += 600
            self.log.claim("worker-2")
        decided = self.log.decide()
        status, body = self._answer(order, decided)
        self.answers.append(Answer(customer, key, SKU, repeat, status, json.dumps(body), 5.0 + number, 1))
        if status == 201 and not repeat:
            self._born(order, reserve, decided)
        return decided

    def _born(self, order: bytes, reserve: Reserve, decided: Decided) -> None:
        receipt, until = (decided.src, 0), decided.clk + 10_000
        terms = (reserve.customer, 1, PRICE, "EUR", until, PRINT)
        self._tell(o.Born(order, SKU, *terms, *receipt, "", b""), role=Role.RELAY)

    def pay(self, number: int, key: str = "") -> None:
        """With a card, to the end."""
        order = self.order(number, key)
        who, intent = customer_hash(KEYS.customer, f"shopper-{number}"), f"pi_{number}"
        self._tell(o.Method(order, who, "pm_card_visa"), role=Role.GATEWAY)
        self._tell(o.PayAnswered(order, 1, "authorise", "authorised", intent, PRICE), role=Role.PAYMENT)
        self.log.do(Commit(hold_id(order)), role=Role.ORDER)
        self._tell(o.LineAnswered(order, 0, "commit", Outcome.COMMITTED), role=Role.RELAY)
        self._tell(o.PayAnswered(order, 1, "capture", "captured", intent, PRICE), role=Role.PAYMENT)
        self._tell(o.Booked(order, 5), role=Role.CONFIRMATION)
        self.book.append(Money(LOG_ID.hex(), intent, order_text(order), 1, PRICE, 0, PRICE, 0, "succeeded"))
        self._ended(number, key, "pay", 200, "CONFIRMED")

    def cancel(self, number: int) -> None:
        """Before anything was paid."""
        order = self.order(number)
        who = customer_hash(KEYS.customer, f"shopper-{number}")
        self._tell(o.Cancel(order, bytes(8), who), role=Role.GATEWAY)
        self.log.do(Release(hold_id(order)), role=Role.ORDER)
        self._tell(o.LineAnswered(order, 0, "release", Outcome.RELEASED), role=Role.RELAY)
        self._ended(number, "", "cancel", 200, "CANCELLED")

    def too_late(self, number: int) -> None:
        """The order expired before its holder gave a card."""
        order = self.order(number)
        who = customer_hash(KEYS.customer, f"shopper-{number}")
        self._tell(o.Method(order, who, "pm_card_visa"), role=Role.GATEWAY)
        self.log.do(Release(hold_id(order)), role=Role.ORDER)
        self._tell(o.LineAnswered(order, 0, "release", Outcome.RELEASED), role=Role.RELAY)
        self._ended(number, "", "pay", 409, "EXPIRED")

    def _tell(self, command: Any, role: Role) -> None:
        """Decide on the order side, at stock's time."""
        self.orders.now_ms = max(self.orders.now_ms, self.log.now_ms)
        self.orders.do(command, role=role)
        self.log.now_ms = self.orders.now_ms

    def _ended(self, number: int, key: str, wish: str, status: int, seen: str) -> None:
        order = order_text(self.order(number, key))
        self.endings.append(Ending(f"shopper-{number}", order, wish, status, "{}", seen, 1))

    def order(self, number: int, key: str = "") -> bytes:
        return order_id(KEYS.customer, f"shopper-{number}", key or f"first-{number}", 0)

    def evidence(self, source: MemorySource | None = None, **fields: Any) -> Evidence:
        source = source or self.source()
        told = Told(self.answers, self.endings, 1.0)
        orders = Orders()
        orders.fold(source, 0)
        report = audit(source, options=Audited(book=self.book))
        history = [read(source, 0)]
        evidence = Evidence(OPTIONS, 1, report, history, told, self.kill, orders.fates, self.book)
        return evidence._replace(**fields)

    def source(self, ledger: list[Entry] | None = None) -> MemorySource:
        """Both logs; `ledger` in place of stock's."""
        return MemorySource(1, {**self.log.entries(ledger), **self.orders.entries()})

    def _answer(self, order: bytes, decided: Decided) -> tuple[int, dict[str, Any]]:
        details = decode_details(decided.details)
        (code,) = decided.outcomes
        outcome = Outcome(code & ~REPEATED)
        receipt = Receipt(0, decided.src, 0)
        grant: Any = next((one for run in details.changes for one in run.items if isinstance(one, Granted)), None)
        for again in details.repeats:
            receipt = Receipt(0, again.offset, again.position)
            grant = again if again.sku else None
        told: dict[str, Any] = {"order_id": order_text(order), "receipt": str(receipt)}
        if outcome is not Outcome.GRANTED:
            return 409, {**told, "outcome": outcome.label}
        told |= {"status": "RESERVED", "sku": grant.sku, "quantity": grant.quantity}
        told |= {"unit_price": grant.unit_price, "currency": grant.currency}
        return 201, {**told, "expires_at": rfc3339(grant.deadline_ms)}
