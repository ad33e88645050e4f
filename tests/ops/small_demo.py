"""A demo of ten shoppers in memory: an honest log, and what each shopper was told, as a gateway would have told it."""

import json
from typing import Any

from domain.ids import Receipt, customer_hash, hold_id, order_id, order_text
from domain.outcomes import REPEATED, Outcome
from domain.roles import Role
from domain.stock import Commit, Granted, Release, Reserve
from gateway.times import rfc3339
from ops.audit.source import MemorySource
from ops.audit.verify import audit
from ops.demo.answers import Answer, Ending, Told
from ops.demo.history import read
from ops.demo.plan import Options, sku_names
from ops.demo.verdict import Evidence, Kill
from streams.keys import Keys
from streams.records import Decided
from streams.stock_records import decode_details
from tests.ops.honest_log import PRINT, HonestLog

KEYS = Keys(b"t" * 32, b"c" * 32)
OPTIONS = Options(shoppers=10, units=2, skus=1)
SKU = sku_names(OPTIONS)[0]


class SmallDemo:
    """Shoppers 0 to 9 come one by one; 0 and 1 get a hold, 0 cancels, 5 gets that unit; after five, the owner dies."""

    def __init__(self, *, late: bool = False) -> None:
        self.log = HonestLog()
        self.answers: list[Answer] = []
        self.endings: list[Ending] = []
        self.kill = Kill("worker-1", 4711, 0, "SIGKILL")
        self.log.claim("worker-1")
        self.log.open_sale(SKU, units=OPTIONS.units, limit=1, hold_ms=10_000)
        for number in range(5):
            self.buy(number)
        self.buy(2, repeat=True)
        self.end(0, commit=False)
        self.kill = self.kill._replace(at_ms=self.log.now_ms)
        self.buy(5, takeover=True)
        for number in range(6, 10):
            self.buy(number)
        self.buy(1, repeat=True)
        self.end(1, commit=True)
        if late:  # 5 comes when the hold has run out and 6, with a new key, has bought that unit
            self.log.now_ms += 11_000
            self.buy(6, key="again-6")
            self.end(6, commit=True, key="again-6")
        self.end(5, commit=True)

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
        return decided

    def end(self, number: int, *, commit: bool, key: str = "") -> None:
        order = self.order(number, key)
        customer = f"shopper-{number}"
        command = Commit(hold_id(order)) if commit else Release(hold_id(order), customer_hash(KEYS.customer, customer))
        decided = self.log.do(command, role=Role.OPS)
        outcome = Outcome(decided.outcomes[0])
        gone = outcome is Outcome.GONE
        body = {"order_id": order_text(order)}
        body |= {"outcome": outcome.label} if gone else {"status": "SOLD" if commit else "CANCELLED"}
        self.endings.append(Ending(customer, order_text(order), commit, 409 if gone else 200, json.dumps(body), 1))

    def order(self, number: int, key: str = "") -> bytes:
        return order_id(KEYS.customer, f"shopper-{number}", key or f"first-{number}", 0)

    def evidence(self, source: MemorySource | None = None, **fields: Any) -> Evidence:
        source = source or self.log.source()
        told = Told(self.answers, self.endings, 1.0)
        return Evidence(OPTIONS, 1, audit(source), [read(source, 0)], told, self.kill)._replace(**fields)

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
