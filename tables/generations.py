"""Where the snapshots of one partition lie: two generations, A and B, each a RocksDB folder of its own.

The next snapshot replaces the older one, so there is a whole one at any time; its meta record is written last, when all
shards are on the disk. One process at a time writes (`lock`); readers need no lock, for a generation that is replaced
under their hands fails its hashes.
"""

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import msgspec
from rocksdict import AccessType, BlockBasedOptions, DBCompressionType, Options, Rdict, WriteOptions

from streams.folder_lock import FolderLock
from tables.snapshot import BadSnapshotError, Meta, decode_meta, encode_meta

NAMES = ("a", "b")
_META = b"meta"
_NEWEST = "newest"
_BUFFER_BYTES = 16 << 20


class Found(NamedTuple):
    """A generation that lies there. `meta` is None where there is none to read, for the `problem`."""

    name: str
    meta: Meta | None
    problem: BadSnapshotError | None = None


class Newest(NamedTuple):
    """What the last writer left in a small file, for whoever wants to know without opening a database."""

    name: str = ""
    offset: int = -1
    decisions: int = 0
    taken_ms: int = 0


_encode = msgspec.json.Encoder().encode
_decode_newest = msgspec.json.Decoder(Newest).decode


def of_partition(data_dir: Path, namespace: str, ledger: str, partition: int) -> "Generations":
    """Where they lie in a data folder, which several workers of a machine share."""
    return Generations(data_dir / "snapshots" / (namespace or "-") / ledger / str(partition))


class Generations:
    """Of one partition, in a folder that need not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def found(self) -> list[Found]:
        """What lies there: first what cannot be read, then the newest."""
        found = [self._look(name) for name in NAMES if self._path(name).exists()]
        return sorted(found, key=lambda one: -one.meta.offset if one.meta else -math.inf)

    def _look(self, name: str) -> Found:
        try:
            with self.reading(name) as reading:
                return Found(name, reading.meta())
        except BadSnapshotError as error:
            return Found(name, None, error)

    def newest(self) -> Newest:
        """By hearsay: nothing, where that cannot be read."""
        try:
            return _decode_newest((self._folder / _NEWEST).read_bytes())
        except (OSError, ValueError):
            return Newest()

    @contextmanager
    def reading(self, name: str) -> Iterator["Reading"]:
        """Open one that was found; BadSnapshotError if it cannot be."""
        with _told():
            database = Rdict(str(self._path(name)), _options(), access_type=AccessType.read_only())
        try:
            yield Reading(database)
        finally:
            database.close()

    def discard(self, name: str) -> bool:
        """Remove one; False, and nothing is done, if somebody is writing just now: it is that which is replaced.

        OSError: nobody can write there.
        """
        lock = FolderLock(self._folder)
        if not lock.acquire():
            return False
        try:
            shutil.rmtree(self._path(name), ignore_errors=True)
            if self.newest().name == name:
                (self._folder / _NEWEST).unlink(missing_ok=True)
        finally:
            lock.release()
        return True

    def write(self) -> "Writing | None":
        """Begin the next snapshot in place of the older, or of a broken one; None if another process does."""
        lock = FolderLock(self._folder)
        if not lock.acquire():
            return None
        found = {one.name: one for one in self.found() if one.meta}
        name = min(NAMES, key=lambda each: found[each].meta.offset if each in found else -1)  # type: ignore[union-attr]
        return Writing(self._folder, name, lock)

    def _path(self, name: str) -> Path:
        return self._folder / name


class Reading:
    """An open generation."""

    def __init__(self, database: Rdict) -> None:
        self._database = database

    def meta(self) -> Meta:
        """BadSnapshotError if there is none, as after a crash in the middle of the writing, or it is torn."""
        return decode_meta(self._value(_META, "its meta record"))

    def shard(self, number: int) -> bytes:
        """BadSnapshotError if it is not there."""
        return self._value(_key(number), f"its shard {number}")

    def _value(self, key: bytes, what: str) -> bytes:
        with _told():
            value: bytes | None = self._database.get(key)
        if value is None:
            message = f"{what} is missing"
            raise BadSnapshotError(message)
        return value


class Writing:
    """A generation on its way. Leaving it before `finish` removes it."""

    def __init__(self, folder: Path, name: str, lock: FolderLock) -> None:
        self._folder = folder
        self._name = name
        self._lock = lock
        self._shards = 0
        shutil.rmtree(folder / name, ignore_errors=True)
        self._database: Rdict | None = Rdict(str(folder / name), _options())
        without_log = WriteOptions()
        without_log.disable_wal = True  # type: ignore[assignment, method-assign]  # a property; its stub is wrong
        self._database.set_write_options(without_log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._database is not None:
            self._close()
            shutil.rmtree(self._folder / self._name, ignore_errors=True)
        self._lock.release()

    def put(self, value: bytes) -> None:
        """The next shard."""
        if self._database is not None:
            self._database[_key(self._shards)] = value
            self._shards += 1

    def finish(self, meta: Meta) -> None:
        """All shards are there: bring them to the disk, then the meta record. BadSnapshotError if it says otherwise."""
        if meta.shards != self._shards:
            message = f"{self._shards} shards came, the meta record has {meta.shards}"
            raise BadSnapshotError(message)
        if self._database is not None:
            self._database.flush()
            self._database[_META] = encode_meta(meta)
            self._database.flush()
            self._close()
            told = self._folder / f"{_NEWEST}.new"
            told.write_bytes(_encode(Newest(self._name, meta.offset, meta.decisions, meta.taken_ms)))
            told.replace(self._folder / _NEWEST)

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


@contextmanager
def _told() -> Iterator[None]:
    """RocksDB's own checksums find damage too; rocksdict raises Exception itself."""
    try:
        yield
    except Exception as error:
        message = f"RocksDB cannot read it: {error}"
        raise BadSnapshotError(message) from error


def _key(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _options() -> Options:
    """Written once and read once: no log, no compaction, no cache."""
    options = Options(raw_mode=True)
    options.create_if_missing(True)  # noqa: FBT003 - RocksDB's interface
    options.prepare_for_bulk_load()
    options.set_write_buffer_size(_BUFFER_BYTES)
    options.set_compression_type(DBCompressionType.none())
    options.set_keep_log_file_num(1)
    table = BlockBasedOptions()
    table.disable_cache()
    options.set_block_based_table_factory(table)
    return options
