"""Two generations on the disk: a whole one at any time, and damage found whatever does it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tables.generations import Generations
from tables.snapshot import BadSnapshotError, Meta, hash_of
from tests.source import ROOT
from tests.tables.frozen import sale, taken, written


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "stock" / "0"


def some(offset: int, count: int = 3) -> tuple[Meta, list[bytes]]:
    """A snapshot of nothing in particular."""
    shards = [bytes([offset % 256, number]) * 5_000 for number in range(count)]
    hashes = b"".join(map(hash_of, shards))
    return Meta("stock", 1, 1, b"L" * 16, 0, offset, b"tip", offset, hashes, "1", 1), shards


def offsets(generations: Generations) -> list[int]:
    return [one.meta.offset for one in generations.found() if one.meta]


def read(generations: Generations, name: str) -> list[bytes]:
    with generations.reading(name) as reading:
        return [reading.shard(number) for number in range(reading.meta().shards)]


def files(folder: Path, suffix: str) -> list[Path]:
    return sorted(folder.glob(f"*/*{suffix}"))


def test_a_snapshot_is_read_as_it_was_written(folder):
    _, standby = sale()
    meta, shards = taken(standby.machine)
    generations = written(folder, meta, shards)
    (found,) = generations.found()
    assert found.meta == meta
    assert read(generations, found.name) == shards


def test_a_folder_that_is_not_there_has_none(folder):
    assert Generations(folder).found() == []
    assert not folder.exists()


def test_the_next_snapshot_replaces_the_older_one(folder):
    for offset in (10, 20, 30):
        generations = written(folder, *some(offset))
    assert offsets(generations) == [30, 20]


def test_a_small_file_says_what_the_newest_one_goes_up_to(folder):
    generations = Generations(folder)
    assert generations.newest().offset == -1
    written(folder, *some(10))
    written(folder, *some(20))
    newest = generations.newest()
    assert (newest.offset, newest.decisions, newest.name) == (20, 20, generations.found()[0].name)
    generations.discard("a" if newest.name == "b" else "b")
    assert generations.newest() == newest
    generations.discard(newest.name)
    assert generations.newest().offset == -1


def test_one_that_is_left_before_its_end_is_gone_and_the_others_stay(folder):
    generations = written(folder, *some(10))
    written(folder, *some(20))
    writing = generations.write()
    with writing:
        writing.put(b"x")
    assert offsets(generations) == [20]
    assert len(generations.found()) == 1


def test_a_meta_record_of_another_number_of_shards_is_not_written(folder):
    meta, shards = some(10)
    generations = Generations(folder)
    with generations.write() as writing:
        writing.put(shards[0])
        with pytest.raises(BadSnapshotError, match="1 shards came"):
            writing.finish(meta)
    assert generations.found() == []


def test_one_process_writes_at_a_time(folder):
    generations = Generations(folder)
    with generations.write():
        assert generations.write() is None
        assert not generations.discard("a")
    assert generations.write() is not None


def test_a_file_that_was_cut_or_changed_is_found_and_replaced_first(folder):
    written(folder, *some(10))
    generations = written(folder, *some(20, count=200))
    for table in files(folder, ".sst"):
        if table.stat().st_size > 100_000:
            with table.open("r+b") as file:
                file.seek(500_000)
                file.write(b"damage")
    newest = generations.found()[0]
    with pytest.raises(BadSnapshotError):
        read(generations, newest.name)
    assert generations.discard(newest.name)
    assert offsets(generations) == [10]
    for table in files(folder, ".sst"):
        os.truncate(table, 100)
    assert [(one.meta, bool(one.problem)) for one in generations.found()] == [(None, True)]
    assert offsets(written(folder, *some(30))) == [30]


def test_a_lost_manifest_is_found(folder):
    generations = written(folder, *some(10))
    for lost in files(folder, "CURRENT"):
        lost.unlink()
    assert [one.meta for one in generations.found()] == [None]


WRITER = """
import sys
from pathlib import Path
from tables.generations import Generations
from tests.tables.test_generations import some
with Generations(Path(sys.argv[1])).write() as writing:
    print("writing", flush=True)
    while True:
        writing.put(bytes(200_000))
"""


def test_kill_9_in_the_middle_of_the_writing_leaves_a_whole_one_and_a_lock_that_is_free(folder):
    generations = written(folder, *some(10))
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        try:
            assert writer.stdout.readline() == b"writing\n"
            deadline = time.monotonic() + 20
            while not any(table.stat().st_size > 1_000_000 for table in files(folder, ".sst")):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            writer.kill()
            writer.wait()
            writer.stdout.close()
        half, whole = generations.found()
        assert whole.meta.offset == 10
        assert half.meta is None
        assert half.problem
    assert offsets(written(folder, *some(20))) == [20, 10]
