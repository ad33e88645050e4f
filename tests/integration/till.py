"""A client of a gateway, for tests: tokens by the stage's key, answers as plain values."""

import json
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp

from domain.roles import Role
from streams.log import Log
from streams.order_records import BATCHES as ORDERS
from streams.stock_records import BATCHES as STOCK
from streams.tokens import mint
from tests.integration.harness import Program, Stage


class Reply(NamedTuple):
    """A response, read."""

    status: int
    headers: Any
    raw: bytes
    body: Any


class Till:
    """`async with Till(stage, address)`. Without `customer` no token is sent; `whose` sets its customers apart."""

    def __init__(self, stage: Stage, address: str, whose: str = "") -> None:
        self.stage = stage
        self.address = address
        self.whose = whose

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(
            self.address,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=20),
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None):
        await self.session.close()

    async def ask(self, method: str, path: str, *, customer="", scopes=(), headers=None, **options) -> Reply:
        """One request; `json` or `data` as in aiohttp."""
        sent = dict(headers or {})
        if customer:
            sent |= self.bearer(customer, scopes)
        async with self.session.request(method, path, headers=sent, **options) as response:
            raw = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Reply(
                response.status, response.headers, raw, await response.json(content_type=None) if is_json else None
            )

    def bearer(self, customer: str, scopes=()) -> dict[str, str]:
        """The header of one of this till's customers."""
        return {"Authorization": f"Bearer {mint(self.stage.keys.token, customer + self.whose, scopes)}"}

    async def buy(self, customer: str, key: str, sku: str, quantity=1, wait=2, **more) -> Reply:
        """POST /v1/orders of one line; `wait` 0 = do not wait. `more`: of the line `max_price`, else of the body."""
        headers = {"Idempotency-Key": key} | ({"Prefer": f"wait={wait}"} if wait else {})
        line = {"sku": sku, "quantity": quantity} | {name: more.pop(name) for name in {"max_price"} & more.keys()}
        return await self.ask("POST", "/v1/orders", customer=customer, headers=headers, json={"items": [line], **more})

    async def order(self, customer: str, key: str, *items: tuple[str, int], wait=5, **more) -> Reply:
        """POST /v1/orders of any lines, each SKU and quantity; `more` of the body."""
        headers = {"Idempotency-Key": key} | ({"Prefer": f"wait={wait}"} if wait else {})
        body = {"items": [{"sku": sku, "quantity": quantity} for sku, quantity in items], **more}
        return await self.ask("POST", "/v1/orders", customer=customer, headers=headers, json=body)

    async def stream(self, path: str, *, customer: str, last: int = 0, until: str = "") -> list[tuple[int, dict]]:
        """The events of an order (id, data) until the gateway ends the stream, or one leads to that status."""
        headers = self.bearer(customer) | ({"Last-Event-ID": str(last)} if last else {})
        found: list[tuple[int, dict]] = []
        fields: dict[str, str] = {}
        async with self.session.get(path, headers=headers) as response:
            assert response.status == 200, await response.text()
            assert response.headers["Content-Type"].startswith("text/event-stream")
            async for raw in response.content:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "id" in fields:
                    found.append((int(fields["id"]), json.loads(fields["data"])))
                    fields = {}
                    if found[-1][1]["to"] == until:
                        break
        return found

    async def ops(self, method: str, path: str, body: Any = None) -> Reply:
        """As an operator."""
        options = {} if body is None else {"json": body}
        return await self.ask(method, path, customer="operator", scopes=("ops",), **options)

    async def open_sku(self, sku: str, units: int, limit=10, price=2500, hold_seconds=300) -> None:
        """Make a SKU and start selling it."""
        policy = {"sku": sku, "price": price, "currency": "EUR", "units": units}
        policy |= {"limit_per_customer": limit, "hold_seconds": hold_seconds}
        made = await self.ops("POST", "/v1/skus", policy)
        assert made.status == 201, made
        opened = await self.ops("POST", f"/v1/skus/{sku}/open")
        assert opened.status == 200, opened


async def ready(gateway: Program, count: int = 1) -> str:
    """The address of a gateway that takes requests; `count`: of which of its lives."""
    line = await gateway.until_logged("gateway.ready", count=count)
    return line["address"]


async def command_ends(stage: Stage, log: Log) -> list[int]:
    """Where the partitions of both commands topics end."""
    topics = (stage.topics.stock_commands, stage.topics.order_commands)
    return [await log.end(topic.name, partition) for topic in topics for partition in range(stage.partitions)]


async def asked(stage: Stage, log: Log) -> int:
    """How many batches gateways have appended; owners append ticks as well."""
    found = 0
    for topic, codec in ((stage.topics.stock_commands, STOCK), (stage.topics.order_commands, ORDERS)):
        for partition in range(stage.partitions):
            async for record in log.read(topic.name, partition, 1):  # behind the GENESIS
                found += codec.decode(record.value).role in {Role.GATEWAY, Role.OPS}
    return found
