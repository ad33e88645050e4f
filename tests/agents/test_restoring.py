"""A partition begins with its newest snapshot that fits the ledger; what does not is thrown away."""

import dataclasses
import errno
import os

import pytest
from aiokafka.errors import NodeNotReadyError
from prometheus_client import CollectorRegistry

from agents.restoring import Archive, Restorer
from streams.logs import Log
from streams.snapshot_metrics import SnapshotMetrics
from tables.generations import Generations
from tests.streams.hand import Hand, Logs
from tests.tables.frozen import sale, taken, written


@dataclasses.dataclass
class Place:
    """A data folder with snapshots of partition 0, the log that they are of, and a machine that has folded nothing."""

    data_dir: object
    logs: Logs
    restorer: Restorer
    metrics: SnapshotMetrics
    generations: Generations
    machine: object

    async def restore(self, **how: bool) -> int:
        """The ledger offset that the machine then wants next."""
        await self.restorer.restore(self.machine, **how)
        return self.machine.ledger_next

    @property
    def discarded(self) -> float:
        return self.metrics.registry.get_sample_value("turnstile_snapshots_discarded_total")


@pytest.fixture
def place(tmp_path) -> Place:
    return make(tmp_path)


def make(data_dir, after: int = 1) -> Place:
    """Two snapshots, of 3 buyers and of 5, and a ledger that goes on behind them."""
    logs, standby = sale(buyers=3)
    archive = Archive(data_dir, "", "stock", after)
    generations = archive.of(0)
    written(data_dir / "snapshots" / "-" / "stock" / "0", *taken(standby.machine))
    for buyer in (4, 5):
        logs.reserve(buyer)
    Hand(logs, "w1").warm().own().run()
    standby.read()
    written(data_dir / "snapshots" / "-" / "stock" / "0", *taken(standby.machine))
    logs.reserve(6)
    Hand(logs, "w1").warm().own().run()

    async def record(_: int, offset: int) -> bytes | None:
        return logs.ledger[offset][1] if offset < len(logs.ledger) else None

    metrics = SnapshotMetrics(CollectorRegistry())
    hand = Hand(logs, "w3")
    hand.machine.start()
    restorer = Restorer(archive, record, lambda: True, metrics, Log("test"))
    return Place(data_dir, logs, restorer, metrics, generations, hand.machine)


def offsets(place: Place) -> list[int]:
    return [one.meta.offset for one in place.generations.found() if one.meta]


async def test_the_newest_one_is_where_folding_begins(place):
    newest, older = offsets(place)
    assert await place.restore() == newest + 1 > older + 1
    assert place.machine.restored
    assert place.discarded == 0
    for offset in range(place.machine.ledger_next, len(place.logs.ledger)):
        place.machine.on_ledger(offset, *place.logs.ledger[offset])
    place.machine.on_caught_up(len(place.logs.ledger))
    assert place.machine.accepted.src == len(place.logs.commands) - 1


async def test_a_torn_one_is_thrown_away_and_the_older_used(place):
    newest, older = offsets(place)
    name = place.generations.found()[0].name
    for table in place.data_dir.glob(f"**/0/{name}/*.sst"):
        os.truncate(table, table.stat().st_size - 10)
    assert await place.restore() == older + 1
    assert place.discarded == 1
    assert offsets(place) == [older] != [newest]


async def test_one_whose_last_record_is_another_in_this_ledger_is_thrown_away(place):
    newest, older = offsets(place)
    stamp, value = place.logs.ledger[newest]
    place.logs.ledger[newest] = stamp, value + b"x"
    assert await place.restore() == older + 1
    assert place.discarded == 1


async def test_one_of_a_ledger_that_was_longer_is_thrown_away(place):
    del place.logs.ledger[3:]
    assert await place.restore() == 0
    assert place.discarded == 2
    assert place.generations.found() == []


async def test_one_of_another_log_is_thrown_away(place):
    place.machine.log_id = b"M" * 16
    assert await place.restore() == 0
    assert place.discarded == 2


async def test_one_of_another_version_is_left_to_it(place, monkeypatch):
    monkeypatch.setattr(type(place.machine.fold), "layout", 99)
    assert await place.restore() == 0
    assert place.discarded == 0
    assert len(offsets(place)) == 2


async def test_a_state_in_doubt_is_not_loaded_again(place):
    newest, older = offsets(place)
    await place.restore()
    place.machine.start()
    assert await place.restore(afresh=True) == 0
    assert offsets(place) == [older] != [newest]
    assert place.discarded == 1


async def test_a_broker_that_does_not_answer_is_no_reason_to_throw_anything_away(place):
    async def away(*_):
        raise NodeNotReadyError

    place.restorer._record = away
    with pytest.raises(NodeNotReadyError):
        await place.restore()
    assert len(offsets(place)) == 2


async def test_where_snapshots_are_off_none_is_used(tmp_path):
    place = make(tmp_path, after=0)
    assert await place.restore() == 0


async def test_one_that_another_process_is_writing_over_is_left_to_it(place):
    place.logs.ledger[:] = place.logs.ledger[:3]
    with place.generations.write():
        assert await place.restore() == 0
        assert place.discarded == 0


async def test_where_nobody_can_write_a_bad_one_stays_and_the_ledger_is_folded(place, monkeypatch):
    place.machine.log_id = b"M" * 16

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tables.generations.FolderLock.acquire", full)
    assert await place.restore() == 0
    assert place.discarded == 0
    assert len(offsets(place)) == 2


def test_news_that_cannot_be_read_are_none(place):
    news = place.data_dir / "snapshots" / "-" / "stock" / "0" / "newest"
    assert place.generations.newest().offset > 0
    news.unlink()
    news.mkdir()  # to read it gives an OSError, also to root
    assert place.generations.newest().offset == -1
