"""A bug while deciding is FAULT for its command; while evolving it stops a partition, till an operator rules (W10)."""

import pytest

from domain.outcomes import Outcome
from streams.records import RULING
from tests.integration.harness import eventually

pytestmark = [pytest.mark.integration, pytest.mark.chaos]


def planted(stage, where: str, sku: str):
    """A worker whose fold has a bug that meets commands for `sku`."""
    return stage.program("planted", "tests.chaos.planted", where, sku, worker="planted")


async def test_a_bug_in_deciding_one_sku_is_a_fault_for_it_and_nothing_to_the_others(stage, shop):
    bad, good = shop.sku(0, "bad"), shop.sku(0, "good")
    with planted(stage, "decide", bad) as worker:
        await shop.open(bad, 5)
        await shop.open(good, 5)
        offset = await shop.send(0, shop.reserve(good, "a"), shop.reserve(bad, "b"), shop.reserve(good, "c"))
        decision = await shop.decision(0, offset)
        assert decision.outcomes == [Outcome.GRANTED, Outcome.FAULT, Outcome.GRANTED]
        assert await shop.outcomes(0, shop.reserve(good, "d")) == [Outcome.GRANTED]
        alarm = await worker.until_logged("decide.fault", partition=0)
        assert "PlantedError" in alarm["message"]
        await worker.until_logged("dead-letter.written", partition=0, offset=offset)
        assert worker.returncode is None
    report = await shop.verified()
    assert report.partitions[0].claims == 1


async def test_a_bug_in_evolving_stops_one_partition_until_an_operator_rules(stage, shop):
    bad, good = shop.sku(0, "bad"), shop.sku(1, "good")
    with planted(stage, "evolve", bad) as worker:
        await shop.open(bad, 5)
        await shop.open(good, 5)
        poison = await shop.send(0, shop.reserve(bad, "a"))
        after = await shop.send(0, shop.reserve(shop.sku(0, "unknown"), "b"))
        # the owner at hand, and three that claimed after it: parked
        await worker.until_logged("fold.failed", partition=0, count=4)
        assert await shop.outcomes(1, shop.reserve(good, "a")) == [Outcome.GRANTED]
        assert [one.decided.src for one in await shop.decisions(0)][-1] < poison
        assert worker.returncode is None

        command = ("ledger", "rule", "0", str(poison), "--reason", "planted", "--operator", "the test")
        with stage.program("rule", "ops", *command) as ruling:
            await eventually(lambda: ruling.returncode is not None, within_s=30)
            assert ruling.returncode == 0, ruling.tail()
        ruled = await shop.decision(0, poison)
        assert (ruled.kind, ruled.outcomes) == (RULING, [Outcome.FAULT])
        assert ruled.decided.note == ("the test", "planted")
        assert (await shop.decision(0, after)).outcomes == [Outcome.UNKNOWN_SKU]
    await shop.verified()
