"""Shoppers over HTTP, against the bare server that the bench compares gateways with."""

import asyncio

import msgspec
import pytest

from bench.bare import ACCEPTED, KINDS
from bench.child import child
from bench.http_load import Answer, Task

KEY = b"k" * 32


@pytest.mark.parametrize("kind", KINDS)
async def test_every_request_is_answered_by_closed_and_open_loops(kind):
    async with child("bench.bare", kind) as bare, child("bench.http_load") as load:
        url = (await bare.answer()).decode().strip()
        for per_s in (0.0, 2_000.0):
            task = Task([url], f"run-{per_s:.0f}", "a", 200, 4, per_s, 0, KEY)
            assert await load.ask(msgspec.json.encode(task)) == b"ready\n"
            answer = msgspec.json.decode(await load.ask(b"go"), type=Answer)
            assert answer.statuses == {ACCEPTED: 200}
            assert len(answer.latencies_s) == 200
            assert 0 < min(answer.latencies_s) <= max(answer.latencies_s) <= answer.took_s


async def test_a_latency_of_an_open_loop_counts_from_when_the_request_was_due():
    waiting, go = [], asyncio.Event()

    async def hang(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        waiting.append(asyncio.get_running_loop().time())
        await go.wait()
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server, child("bench.http_load") as load:
        port = server.sockets[0].getsockname()[1]
        task = Task([f"http://127.0.0.1:{port}"], "hangs", "a", 20, 1, 1_000.0, 5, KEY)
        await load.ask(msgspec.json.encode(task))
        asking = asyncio.create_task(load.ask(b"go"))
        async with asyncio.timeout(30):
            while len(waiting) < 20:  # each on a connection of its own: none waits for another's answer
                await asyncio.sleep(0.01)
        released = asyncio.get_running_loop().time()
        go.set()
        answer = msgspec.json.decode(await asking, type=Answer)
        assert min(answer.latencies_s) >= released - waiting[-1]
        assert max(answer.latencies_s) >= released - waiting[0]
