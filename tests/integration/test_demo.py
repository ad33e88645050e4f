"""The demo on a real broker: with the kill it passes, and it fails when somebody was told something else."""

import json
from io import StringIO

import msgspec
import pytest
from rich.console import Console

from ops.demo.plan import Options
from ops.demo.run import Demo
from ops.demo.verdict import Evidence, judge
from settings import Shared
from streams import keys

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
OPTIONS = Options(shoppers=1_000, units=20, skus=3, seconds=5.0, seed=11, brownout_s=1.0)
KEYS_OF_THE_ISSUE = {
    "shoppers", "units", "granted", "sold", "oversold", "undersold", "double_holds", "duplicates_absorbed", "undecided",
    "wrong_answers", "fifo_violations", "p50_ms", "p99_ms", "decisions_per_s", "failover_s", "verdict",
    "confirmed", "captured", "refunded", "voided", "double_charges", "stuck_orders",
}  # fmt: skip


class KeepingDemo(Demo):
    """Keeps what it judged."""

    evidence: Evidence

    def _collect(self) -> Evidence:
        self.evidence = super()._collect()
        return self.evidence


async def test_a_small_demo_with_the_kill_passes_and_a_lie_planted_in_it_does_not(tmp_path):
    settings = Shared().model_copy(update={"data_dir": tmp_path})
    demo = KeepingDemo(OPTIONS, settings, Console(file=StringIO()))
    judgement = await demo.run()
    figures = judgement.figures
    assert judgement.reasons == []
    assert set(json.loads(json.dumps(figures))) >= KEYS_OF_THE_ISSUE
    assert (figures["verdict"], figures["shoppers"], figures["sold"]) == ("pass", 1_000, 60)
    assert {figures["killed"], figures["claimed_by"]} == {"worker-1", "worker-2"}
    assert 0.2 <= figures["decided_at_kill"] <= 0.8
    assert figures["duplicates_absorbed"] > 100
    assert figures["granted"] > figures["sold"] == figures["confirmed"]
    assert figures["captured"] - figures["refunded"] == figures["confirmed_amount"] > 0

    told = demo.evidence.told
    answers = list(told.answers)
    index = next(at for at, answer in enumerate(answers) if answer.status == 201 and not answer.repeat)
    answers[index] = msgspec.structs.replace(answers[index], body=answers[index].body.replace("RESERVED", "SOLD"))
    lie = demo.evidence._replace(told=msgspec.structs.replace(told, answers=answers))
    judged = judge(lie, keys.load(tmp_path))
    assert (judged.passed, judged.figures["wrong_answers"]) == (False, 1)
