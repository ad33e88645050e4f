"""An inventory worker as a process, on a real broker: commands in, decisions and facts out."""

import asyncio
import urllib.request
from collections import Counter

import pytest

from domain.outcomes import Outcome
from domain.roles import Role
from domain.stock import Adjust
from streams.records import decode_decided, decode_ledger
from streams.stock_records import decode_hint
from tests.integration.harness import eventually
from tests.integration.shop import load, now_ms

pytestmark = pytest.mark.integration


async def claimed(worker, partitions: int) -> None:
    for partition in range(partitions):
        await worker.until_logged("partition.claimed", partition=partition)


async def published(shop, partition: int, ledger_offset: int) -> bool:
    """Whether the ledger itself says that the facts up to there are."""
    newest = (await shop.ledger(partition))[-1]
    return decode_ledger(newest.value).published >= ledger_offset


async def test_a_worker_claims_every_partition_and_stops_when_asked(stage):
    with stage.worker("w1") as worker:
        await claimed(worker, stage.partitions)
        assert worker.stop() == 0
        assert len(worker.logged("partition.yielded")) == stage.partitions
        assert worker.logged("program.stopped")


async def test_what_one_worker_yielded_to_nobody_the_next_one_claims_at_once(stage, shop):
    """With all of its facts known to be published: for others, who stands by asks before its plan has come."""
    sku = shop.sku(0)
    with stage.worker("w1"):
        opened = await shop.decision(0, await shop.open(sku, 10))
        await eventually(lambda: published(shop, 0, opened.offset))
    with stage.worker("w2") as second:
        line = await second.until_logged("partition.claimed", partition=0)
        assert line["reason"] == "assigned, yielded to nobody in particular"
        assert await shop.outcomes(0, shop.reserve(sku, "k")) == [Outcome.GRANTED]
    await shop.verified()


async def test_commands_become_decisions_and_facts_in_the_order_of_the_log(stage, shop):
    sku = shop.sku(1)
    with stage.worker("w1"):
        assert await shop.decision(1, await shop.open(sku, 3))
        buyers = [shop.reserve(sku, f"k{i}") for i in range(5)]
        outcomes = await shop.outcomes(1, *buyers)
        assert outcomes == [Outcome.GRANTED] * 3 + [Outcome.ALL_HELD] * 2
        assert await shop.outcomes(1, buyers[4], buyers[0]) == [Outcome.ALL_HELD, Outcome.GRANTED]
        decisions = await shop.decisions(1)

        async def facts():
            found = await shop.facts(1)
            return found if len(found) >= 3 else None

        published = await eventually(facts)
        assert [fact.ledger_offset for fact in published][:3] == [one.offset for one in decisions][:3]
        assert [decode_decided(fact.body).src for fact in published][:3] == [1, 2, 3]
        assert decode_decided(published[1].body).outcomes == decisions[1].decided.outcomes
    await shop.verified()


async def test_under_load_everything_is_decided_once_and_published(stage, shop):
    skus = [shop.sku(partition) for partition in range(stage.partitions)]
    with stage.worker("w1") as worker:
        for sku in skus:
            await shop.open(sku, 100)
        await claimed(worker, stage.partitions)
        async with load(shop, *skus, every_ms=5, size=20) as running:
            await asyncio.sleep(2)
        report = await shop.verified()
        assert report.outcomes[Outcome.GRANTED] == 100 * stage.partitions
        assert sum(report.outcomes[one] for one in (Outcome.GRANTED, Outcome.ALL_HELD)) == 20 * running.sent
        for partition in range(stage.partitions):

            async def published(partition=partition) -> bool:
                told = {decode_decided(fact.body).src for fact in await shop.facts(partition)}
                return told >= {
                    one.decided.src for one in await shop.decisions(partition) if one.decided.sender == "shop"
                }

            await eventually(published, what="every decision's facts")


async def test_three_hundred_batches_at_once_pass_through_the_bounded_queue(stage, shop):
    sku = shop.sku(2)
    await shop.open(sku, 5)
    async with load(shop, sku, every_ms=0, size=1) as running:
        while running.sent < 1500:
            await asyncio.sleep(0.01)
    with stage.worker("w1"):
        report = await shop.verified()
    assert report.outcomes[Outcome.GRANTED] == 5
    assert report.outcomes[Outcome.ALL_HELD] == running.sent - 5


async def test_an_undecodable_record_is_malformed_and_buried_and_the_partition_goes_on(stage, shop):
    sku = shop.sku(0)
    with stage.worker("w1") as worker:
        await shop.open(sku, 5)
        offset = await shop.append(0, b"\x01\x01 this is no batch")
        assert (await shop.decision(0, offset)).outcomes == [Outcome.MALFORMED]
        assert await shop.outcomes(0, shop.reserve(sku, "k")) == [Outcome.GRANTED]
        await worker.until_logged("dead-letter.written", partition=0, offset=offset)
        (letter,) = await shop.raw(stage.topics.dead_letters.name, 0)
        assert letter.value == b"\x01\x01 this is no batch"
        headers = dict(letter.headers)
        assert headers["topic"] == stage.topics.stock_commands.name.encode()
        assert (headers["partition"], headers["offset"]) == (b"0", str(offset).encode())
        assert headers["reason"]
    await shop.verified()


async def test_a_batch_that_comes_after_its_deadline_is_too_late(stage, shop):
    sku = shop.sku(0)
    with stage.worker("w1"):
        await shop.open(sku, 5)
        late = shop.reserve(sku, "late", not_after_ms=now_ms() - 1)
        assert await shop.outcomes(0, late) == [Outcome.TOO_LATE]
        assert await shop.outcomes(0, shop.reserve(sku, "late")) == [Outcome.GRANTED]  # nothing was remembered
    await shop.verified()


async def test_a_restock_repeated_with_its_reference_counts_once(stage, shop):
    sku = shop.sku(0)
    with stage.worker("w1"):
        await shop.open(sku, 1)
        restock = Adjust(sku, 5, "delivery 7", "restock")
        for _ in range(2):
            assert await shop.outcomes(0, restock, role=Role.OPS) == [Outcome.ADJUSTED]
    report = await shop.verified()
    assert [(pool.received, pool.available) for pool in report.pools] == [(6, 6)]


async def test_a_batch_of_another_log_stops_its_partition_and_no_other(stage, shop):
    skus = [shop.sku(0), shop.sku(1)]
    with stage.worker("w1") as worker:
        for sku in skus:
            await shop.open(sku, 5)
        await claimed(worker, stage.partitions)
        await shop.append(0, shop.batch(shop.reserve(skus[0], "k"), log_id=bytes(16)))
        await worker.until_logged("commands.foreign", partition=0)
        assert await shop.outcomes(1, shop.reserve(skus[1], "k")) == [Outcome.GRANTED]


async def test_touched_pools_are_hinted(stage, shop):
    sku = shop.sku(3)
    with stage.worker("w1"):
        await shop.open(sku, 5)
        await shop.outcomes(3, shop.reserve(sku, "k", quantity=2))

        async def hinted():
            records = await shop.raw(stage.topics.stock_pools.name, 3)
            hints = [decode_hint(record.value) for record in records if record.key == sku.encode()]
            return hints[-1] if hints and hints[-1].held else None

        hint = await eventually(hinted)
        assert (hint.sku, hint.received, hint.available, hint.held, hint.phase) == (sku, 5, 3, 2, 1)


async def test_metrics_tell_roles_decisions_and_lag(stage, shop):
    sku = shop.sku(0)
    with stage.worker("w1") as worker:
        started = await worker.until_logged("program.started")
        await shop.open(sku, 1)
        await shop.outcomes(0, shop.reserve(sku, "a"), shop.reserve(sku, "b"))

        def scraped() -> Counter[str] | None:
            with urllib.request.urlopen(f"http://{started['metrics']}/metrics", timeout=5) as response:
                lines = [line for line in response.read().decode().splitlines() if not line.startswith("#")]
            found = {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
            won = found.get('turnstile_claims_total{result="won"}')
            return found if won == stage.partitions and found['turnstile_lag_records{partition="0"}'] == 0 else None

        found = await eventually(lambda: asyncio.to_thread(scraped))
        assert found['turnstile_partition_role{partition="0",role="owner"}'] == 1
        assert found['turnstile_decisions_total{outcome="granted"}'] == 1
        assert found['turnstile_decisions_total{outcome="all-held"}'] == 1
        assert found['turnstile_partition_epoch{partition="0"}'] == 1


async def test_without_topics_it_says_what_to_do_and_ends(broker, stage):
    worker = stage.worker("w1", namespace="nothing-here")
    worker.start()
    assert await eventually(lambda: worker.returncode is not None or None, within_s=30)
    assert worker.returncode == 69
    assert "turnstile topics apply" in worker.tail()
