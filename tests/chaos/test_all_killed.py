"""All gateways and all workers are killed with -9 in the middle of a sale, and started again."""

import asyncio
from collections import Counter
from contextlib import ExitStack

import aiohttp
import pytest

from domain.ids import hold_id, parse_order
from domain.outcomes import Outcome
from ops.audit.log_source import kafka_source
from ops.audit.partition import Options
from ops.audit.verify import audit
from tests.integration.harness import eventually
from tests.integration.till import Till, ready

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

UNITS = 40
SHOPPERS = 120
KILL_AFTER = 45
"""Accepted requests after which everything is killed: some are decided by then, some only in the log."""


async def test_every_202_has_one_decision_and_every_answer_is_the_ledgers(stage):
    workers = [stage.worker("w1"), stage.worker("w2"), stage.program("o1", "agents", "order", worker="o1")]
    gateways = [stage.gateway(f"g{number}", rate_per_s=0) for number in (1, 2)]
    with ExitStack() as running:
        for program in (*workers, *gateways):
            running.enter_context(program)
        accepted = await accepted_until_killed(stage, workers, gateways)
        for program in (*workers, *gateways):
            program.start()
        addresses = [await ready(gateway, 2) for gateway in gateways]
        answers = await ask_again(stage, addresses)
        report = await eventually(lambda: audited(stage), within_s=20.0, every_s=0.2, what="everything decided")
    assert report.ok, report.violations
    assert len(accepted) >= KILL_AFTER
    decided = {order: report.decisions.get(hold_id(parse_order(order)), []) for order in accepted}
    assert {len(decisions) for decisions in decided.values()} == {1}
    assert {order: decisions[0].outcome for order, decisions in decided.items()}.items() <= answers.items()
    assert Counter(answers.values()) == {Outcome.GRANTED: UNITS, Outcome.ALL_HELD: SHOPPERS - UNITS}


async def accepted_until_killed(stage, workers, gateways):
    """Orders that got a 202 before everything was killed."""
    accepted = []
    tills = [Till(stage, await ready(gateway)) for gateway in gateways]
    async with tills[0], tills[1]:
        await tills[0].open_sku("last", UNITS, limit=1)
        enough = asyncio.Event()

        async def ask(number):
            try:
                reply = await tills[number % 2].buy(f"c{number}", f"k{number}", "last", wait=0)
            except aiohttp.ClientError:
                return  # the gateway died: the shopper does not know, and asks again
            if reply.status == 202:
                accepted.append(reply.body["order_id"])
                if len(accepted) >= KILL_AFTER:
                    enough.set()

        async def arrive():
            async with asyncio.TaskGroup() as group:
                for number in range(SHOPPERS):
                    group.create_task(ask(number))
                    await asyncio.sleep(0.01)  # the rate of arrivals

        arriving = asyncio.create_task(arrive())
        await enough.wait()
        for program in (*gateways, *workers):
            program.kill()
        await arriving
    return accepted


async def ask_again(stage, addresses):
    """What everybody is told now, with the same keys: order id -> outcome. 503 and 504 mean: ask again."""
    answers = {}
    async with Till(stage, addresses[0]) as first, Till(stage, addresses[1]) as second:

        async def ask(number):
            async def told():
                reply = await (first, second)[number % 2].buy(f"c{number}", f"k{number}", "last", wait=5)
                return reply if reply.status in {201, 409} else None

            reply = await eventually(told, within_s=40.0, every_s=0.2, what=f"an answer to shopper {number}")
            code = "granted" if reply.status == 201 else reply.body["outcome"]
            answers[reply.body["order_id"]] = Outcome[code.upper().replace("-", "_")]

        async with asyncio.TaskGroup() as group:
            for number in range(SHOPPERS):
                group.create_task(ask(number))
    return answers


async def audited(stage):
    """The report on the whole log once nothing waits for a decision."""

    def look():
        with kafka_source(stage.servers, stage.topics) as source:
            return audit(source, options=Options(keep=True))

    report = await asyncio.to_thread(look)
    return report if not report.undecided else None
