"""`python -m bench.floor`: what a worker would cost that decides nothing.

Consumes batches, decodes them, encodes a decision of the same size for each, produces it as a ledger record and as a
fact: by the clients and codecs of the worker, without state, rules, digests, ownership or acceptance. Prints a JSON
object: wall and CPU seconds from the first fetch to the last ack.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import uvloop
from aiokafka import TopicPartition

from bench.lone_machine import on_sale
from domain.outcomes import Outcome
from domain.roles import Role
from streams.kafka import hot_consumer, producer
from streams.records import (
    DECIDED,
    DIGEST_BYTES,
    NONCE_BYTES,
    Decided,
    LedgerRecord,
    encode_body,
    encode_fact,
    encode_ledger,
)
from streams.stock_records import BATCHES, StockCommand, StockDetails, decode_details, encode_details
from tables.stock import StockFold

RECORDS_MAX = 500
NONCE, DIGEST = bytes(NONCE_BYTES), bytes(DIGEST_BYTES)
UNITS = 1_000_000_000
HOLD_MS = 600_000


class Task(NamedTuple):
    """The first `records` records of `source`'s partition are copied, as decisions. `granted`: all, or none of them."""

    servers: str
    source: str
    ledger: str
    events: str
    partition: int
    records: int
    granted: bool


def sample(commands: Sequence[StockCommand], clk: int, *, granted: bool) -> tuple[bytes, StockDetails]:
    """Outcomes and details as the fold has them for such a batch. AssertionError if they are not all as they should."""
    fold = StockFold()
    state: Any = fold.new_state(0)
    sku = commands[0].sku  # type: ignore[union-attr] # they are reservations
    wanted = int(Outcome.GRANTED if granted else Outcome.SOLD_OUT)
    fold.decide(state, on_sale(sku, UNITS if granted else 0, HOLD_MS), Role.OPS, 0, clk)
    decision = fold.decide(state, commands, Role.GATEWAY, 1, clk)
    if set(decision.outcomes) != {wanted}:
        message = f"the sample's outcomes are {set(decision.outcomes)}, not {wanted}"
        raise AssertionError(message)
    return bytes(decision.outcomes), decode_details(decision.details)


async def copy(task: Task) -> dict[str, float]:
    """Wall and CPU seconds."""
    consumer = hot_consumer(task.servers, "bench-floor")
    ledger, facts = producer(task.servers, "bench-floor-ledger"), producer(task.servers, "bench-floor-facts")
    clients = (consumer, ledger, facts)
    for client in clients:
        await client.start()
    try:
        consumer.assign([place := TopicPartition(task.source, task.partition)])
        consumer.seek(place, 0)
        (first,) = (await consumer.getmany(timeout_ms=10_000, max_records=1)).values()
        outcomes, details = sample(BATCHES.decode(first[0].value).commands(), first[0].timestamp, granted=task.granted)
        changes: list[Any] = [run.items for run in details.changes]  # in columns, as the worker has them
        consumer.seek(place, 0)
        gc.collect()
        gc.freeze()
        gc.disable()
        begun, cpu = time.perf_counter(), time.process_time()
        futures: list[asyncio.Future[Any]] = []
        while len(futures) < 2 * task.records:
            for records in (await consumer.getmany(timeout_ms=200, max_records=RECORDS_MAX)).values():
                for record in records:
                    batch = BATCHES.decode(record.value)
                    batch.commands()
                    encoded = encode_details(details.repeats, changes, details.totals)
                    body = encode_body(
                        Decided(
                            record.offset,
                            DIGEST,
                            record.timestamp,
                            batch.sender,
                            batch.number,
                            outcomes,
                            None,
                            None,
                            encoded,
                        )
                    )
                    value = encode_ledger(LedgerRecord(DECIDED, 1, NONCE, record.offset, DIGEST, body))
                    futures.append(await ledger.send(task.ledger, value, partition=task.partition))
                    fact = encode_fact(DECIDED, record.offset, body)
                    futures.append(await facts.send(task.events, fact, partition=task.partition))
            await asyncio.sleep(0)
        await asyncio.gather(*futures)
        return {"wall_s": time.perf_counter() - begun, "cpu_s": time.process_time() - cpu}
    finally:
        for client in clients:
            await client.stop()


def main() -> int:
    """Takes a Task as JSON."""
    print(json.dumps(uvloop.run(copy(msgspec.json.decode(sys.argv[1], type=Task)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
