"""`turnstile ledger rule`: gets a partition past a record, also when no worker can."""

import asyncio
import json
import subprocess
import sys

import pytest

from domain.outcomes import Outcome
from domain.roles import Role
from domain.stock import Open, SetPolicy
from ops.audit.log_source import kafka_source
from ops.audit.verify import audit
from ops.survey import survey
from streams.records import RULING, decode_decided, decode_fact, decode_ledger
from streams.stock_records import BATCHES
from tests.integration.harness import ROOT, Stage

pytestmark = pytest.mark.integration


async def turnstile(stage: Stage, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ops",
        *arguments,
        cwd=ROOT,
        env=stage.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, out.decode(), err.decode()


async def send(stage: Stage, log, number: int, *commands: object) -> int:
    value = BATCHES.encode(stage.log_id, Role.OPS, "test", number, list(commands))
    return (await log.append(stage.topics.stock_commands.name, 0, value)).offset


async def test_a_record_that_nobody_decides_is_ruled_on_and_a_worker_goes_on(stage, log):
    src = await send(stage, log, 1, SetPolicy("shoe", 0, 100, "EUR", 1, 1_000, "k"), Open("shoe", 1))
    code, out, err = await turnstile(
        stage, "ledger", "rule", "0", str(src), "--reason", "stuck", "--operator", "ann", "--json"
    )
    assert code == 0, err
    assert json.loads(out) == {"partition": 0, "src": src, "commands": 2, "ledger_offset": 2}

    records = [record async for record in log.read(stage.topics.stock_ledger.name, 0, 0)]
    ruling = decode_ledger(records[2].value)
    decided = decode_decided(ruling.body)
    assert ruling.kind == RULING
    assert (decided.src, decided.note) == (src, ("ann", "stuck"))
    assert decided.outcomes == bytes((Outcome.FAULT, Outcome.FAULT))
    facts = [decode_fact(record.value) async for record in log.read(stage.topics.stock_events.name, 0, 0)]
    assert [(fact.ledger_offset, fact.body) for fact in facts] == [(2, ruling.body)]
    letters = [record async for record in log.read(stage.topics.dead_letters.name, 0, 0)]
    commands = [record async for record in log.read(stage.topics.stock_commands.name, 0, src)]
    assert [letter.value for letter in letters] == [commands[0].value]

    with stage.worker("w1") as worker:
        await worker.until_logged("partition.claimed", partition=0)
        follows = await send(stage, log, 2, SetPolicy("shoe", 0, 100, "EUR", 1, 1_000, "k"))
        await until_decided(stage, log, follows)
    report = await asyncio.to_thread(verify, stage)
    assert report.violations == []
    assert (report.partitions[0].rulings, report.undecided) == (1, 0)


async def test_only_the_next_record_can_be_ruled_on(stage, log):
    src = await send(stage, log, 1, SetPolicy("shoe", 0, 100, "EUR", 1, 1_000, "k"))
    ends = await log.end(stage.topics.stock_ledger.name, 0)
    for wrong in (src + 1, src + 7):
        code, _, err = await turnstile(stage, "ledger", "rule", "0", str(wrong), "--reason", "x")
        assert (code, f"is {src}, not {wrong}" in err, "Traceback" in err) == (1, True, False), err
    code, _, err = await turnstile(stage, "ledger", "rule", "1", "1", "--reason", "x")
    assert (code, "there is nothing to rule on" in err) == (1, True), err
    assert await log.end(stage.topics.stock_ledger.name, 0) == ends


async def until_decided(stage: Stage, log, src: int) -> None:
    async with asyncio.timeout(20):
        while (await survey(log, stage.topics))[0].src < src:
            await asyncio.sleep(0.05)


def verify(stage: Stage):
    with kafka_source(stage.servers, stage.topics) as source:
        return audit(source)
