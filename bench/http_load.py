"""`python -m bench.http_load`: shoppers over HTTP, each a customer with one order, from a process of its own.

Takes a Task as a line of JSON, makes its requests, prints "ready", and sends them after the next line; prints an Answer
as JSON. Closed loop: a connection sends its next request when it has its answer. Open loop: requests are due at random
moments (a Poisson process), on as many connections as that takes; a latency counts from when its request was due, so
that a slow answer hides nothing (no coordinated omission).
"""

import asyncio
import random
import sys
import time
from collections import Counter
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
import uvloop
from httptools import HttpResponseParser

from gateway.openapi import PURCHASE
from streams.tokens import mint


class Task(NamedTuple):
    """`requests` for one of `sku` each, in turn at `urls`. `per_s` 0 = closed loop, on `connections`.

    `name` must be new: keys and customers are named after it. `wait_s` 0 = without waiting. `key` signs tokens.
    """

    urls: list[str]
    name: str
    sku: str
    requests: int
    connections: int
    per_s: float
    wait_s: int
    key: bytes


class Answer(NamedTuple):
    """How long all took, each latency in seconds, and how many got which status."""

    took_s: float
    latencies_s: list[float]
    statuses: dict[int, int]


class _Connection(asyncio.Protocol):
    """One request at a time. As httptools' parser wants it, it is the parser's listener, too."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment] # it is one of TCP

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None:
            self._answered.set_exception(error or ConnectionError("closed before the answer"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            answered.set_result(self._parser.get_status_code())

    async def ask(self, request: bytes) -> int:
        """The status of its answer. ConnectionError."""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered


class _Load:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._hosts = [(url.hostname or "", url.port or 0) for url in map(urlsplit, task.urls)]
        self._requests = [_request(task, number) for number in range(task.requests)]
        self._free: list[_Connection] = []
        self._opened = 0
        self._latencies_s: list[float] = []
        self._statuses: Counter[int] = Counter()

    async def connect(self, count: int) -> None:
        """So many more connections, in turn to each gateway."""
        loop = asyncio.get_running_loop()
        for _ in range(count):
            host, port = self._hosts[self._opened % len(self._hosts)]
            self._opened += 1
            _, connection = await loop.create_connection(_Connection, host, port)
            self._free.append(connection)

    async def run(self) -> Answer:
        """Send everything, and wait for every answer. ConnectionError."""
        begun_s = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            if self._task.per_s:
                await self._open_loop(group)
            else:
                for connection in self._free:
                    group.create_task(self._closed_loop(connection))
        return Answer(time.perf_counter() - begun_s, self._latencies_s, dict(self._statuses))

    async def _closed_loop(self, connection: _Connection) -> None:
        while self._requests:
            await self._ask(connection, self._requests.pop(), time.perf_counter())

    async def _open_loop(self, group: asyncio.TaskGroup) -> None:
        chance = random.Random(self._task.name)
        due_s = time.perf_counter()
        while self._requests:
            due_s += chance.expovariate(self._task.per_s)
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            at_s = min(due_s, time.perf_counter())  # a timer may be a millisecond early
            group.create_task(self._arrive(self._requests.pop(), at_s))

    async def _arrive(self, request: bytes, due_s: float) -> None:
        if not self._free:
            await self.connect(1)
        connection = self._free.pop()
        await self._ask(connection, request, due_s)
        self._free.append(connection)

    async def _ask(self, connection: _Connection, request: bytes, due_s: float) -> None:
        self._statuses[await connection.ask(request)] += 1
        self._latencies_s.append(time.perf_counter() - due_s)


def _request(task: Task, number: int) -> bytes:
    who = f"{task.name}-{number}"
    body = f'{{"items":[{{"sku":"{task.sku}","quantity":1}}]}}'
    head = [
        f"POST {PURCHASE} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {mint(task.key, who)}",
        f"Idempotency-Key: {who}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *([f"Prefer: wait={task.wait_s}"] if task.wait_s else ()),
    ]
    return "\r\n".join((*head, "", body)).encode()


async def _serve() -> None:
    """Task after task, until stdin ends; nothing else runs while it waits for a line."""
    while line := sys.stdin.readline():
        task = msgspec.json.decode(line, type=Task)
        load = _Load(task)
        await load.connect(task.connections)
        print("ready", flush=True)
        sys.stdin.readline()
        print(msgspec.json.encode(await load.run()).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(_serve())
