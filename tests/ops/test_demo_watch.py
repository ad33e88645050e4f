"""What the demo sees of a growing ledger, and what it shows without a terminal."""

import io

from rich.console import Console

from ops.demo.answers import Progress
from ops.demo.view import View
from ops.demo.watch import LedgerWatch
from streams.topics import CATALOGUE
from tests.ops.small_demo import SKU, SmallDemo


def watched(demo: SmallDemo) -> tuple[LedgerWatch, list[str]]:
    happened: list[str] = []
    watch = LedgerWatch("nowhere:1", CATALOGUE, 1, happened.append)
    for entry in demo.log.ledger:
        watch.on_record(0, entry.offset, entry.value)
    return watch, happened


def test_it_counts_first_answers_to_requests_alone():
    watch, _ = watched(SmallDemo())
    assert watch.requests_decided == 10, "two repeats, three endings and the opening do not count"
    assert watch.decisions_per_s() == 12 / 2, "over two seconds; repeats are decisions too"


def test_it_knows_the_owner_and_tells_a_take_over_once():
    watch, happened = watched(SmallDemo())
    assert watch.partitions[0].owner == "worker-2"
    assert happened == [
        "worker-1 claims partition 0 (epoch 1)",
        "worker-2 takes over from worker-1 partition 0 (epoch 2)",
    ]


def test_a_planned_hand_over_is_told_as_one():
    demo = SmallDemo()
    demo.log.hand_over("worker-3")
    _, happened = watched(demo)
    assert happened[-1] == "worker-3 is handed partition 0 (epoch 3)"


def test_stock_is_that_of_the_last_record():
    watch, _ = watched(SmallDemo())
    totals = watch.stock[SKU]
    assert (totals.received, totals.available, totals.held, totals.sold) == (2, 0, 0, 2)


def test_lag_is_commands_without_a_decision():
    demo = SmallDemo()
    watch, _ = watched(demo)
    watch.partitions[0].commands_end = len(demo.log.commands) + 3
    assert watch.partitions[0].lag == 3


def test_without_a_terminal_it_prints_plain_lines():
    out = io.StringIO()
    watch, _ = watched(SmallDemo())
    with View(Console(file=out, width=200), 10) as view:
        view.progress = Progress("sale", 12, 12, 2, 1, 3.0, 9.0)
        view.happened("kill -9 of worker-1")
        view.tick(watch)
        view.tick(watch)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2, "a line every two seconds"
    assert "kill -9 of worker-1" in lines[0]
    assert "sale  |  10 of 10 decided" in lines[1]
    assert "p50 3 ms, p99 9 ms" in lines[1]
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_it_shows_stock_and_owners():
    out = io.StringIO()
    watch, _ = watched(SmallDemo())
    with View(Console(file=out, width=200, force_terminal=True), 10) as view:
        view.tick(watch)
    assert SKU in out.getvalue()
    assert "worker-2" in out.getvalue()
